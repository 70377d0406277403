"""The vocabulary of results: findings, per file and per scan.

Guarantees: everything is frozen and plain, so that a report is a pure function of it.
Does not cover: rendering.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file."""

    path: str
    outcome: str  # parsed, unpacked, partly, unreadable or skipped
    findings: tuple[Finding, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class ScanReport:
    """One scan."""

    profile: str
    files: tuple[FileReport, ...]
    root: str = ""  # the folder that the paths of the files start from, as the user named it

    @property
    def failed(self) -> bool:
        return any(finding.status == "fail" for file in self.files for finding in file.findings)
