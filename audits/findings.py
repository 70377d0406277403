"""The vocabulary of results: findings, per file and per scan.

Guarantees: everything is frozen and plain, so that a report is a pure function of it.
Does not cover: rendering.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from audits.recognised import Recognised

STATUSES: Final = ("fail", "warn", "info")  # of findings, from the worst


class Confidence(StrEnum):
    """How sure the check is that the pattern is what it seems; only HIGH can fail."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the flow that leads to a finding: read here, trained here, scored here."""

    role: str  # what happens here, such as "read here"
    file: str
    line: int  # in the unpacked text
    function: str
    excerpt: str = ""  # filled in when the match is judged


@dataclass(frozen=True, slots=True)
class Finding:
    """A match judged under a profile."""

    rule: str
    status: str  # fail, warn or info
    severity: str  # what the profile gives the rule at most
    confidence: str
    line: int  # in the unpacked text
    function: str
    message: str
    excerpt: str
    wrapper_line: int | None = None  # in the file itself, when it is packed
    flow: tuple[Step, ...] = ()  # what leads there, in order of execution
    clears: str = ""  # what would clear it


class Role(StrEnum):
    """What a file is to the submission."""

    ENTRY = "entry"  # the file that is judged
    CANDIDATE = "candidate"  # one of several that may be it
    PART = "part"  # imported or started by one of these
    BESIDE = "beside"  # neither
    PAPER = "paper"  # no code: submission.json, README, a log


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file."""

    path: str
    outcome: str  # parsed, unpacked, partly, unreadable or skipped
    findings: tuple[Finding, ...]
    note: str = ""
    role: str = Role.ENTRY
    judged: bool = True  # read, by a reading that recognised a score; else no rule was tried on it
    recognised: Recognised | None = None  # of what was read as a script of its own


@dataclass(frozen=True, slots=True)
class ScanReport:
    """One scan."""

    profile: str
    files: tuple[FileReport, ...]
    contest: str = ""  # which one, and why; empty: Parameter Golf, as ever
    root: str = ""  # the folder that the paths of the files start from, as the user named it

    @property
    def failed(self) -> bool:
        return any(finding.status == "fail" for file in self.files for finding in file.findings)

    @property
    def unjudged(self) -> tuple[FileReport, ...]:
        """Files that may be the submission and that no rule was tried on: never a pass."""
        return tuple(
            file
            for file in self.files
            if file.role in (Role.ENTRY, Role.CANDIDATE) and not file.judged
        )

    @property
    def beside(self) -> tuple[FileReport, ...]:
        """Scripts that the folder starts beside the one that is judged, and that may score."""
        roles = [file.role for file in self.files]
        found = tuple(file for file in self.files if file.role == Role.CANDIDATE)
        return found if Role.ENTRY in roles else ()
