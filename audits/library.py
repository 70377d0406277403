"""Reading a submission from a program: `scan(path)`, and what it found.

Guarantees: the same judgement as `python -m audits.scan PATH`; nothing of the submission is run,
nothing is printed. Raises UsageError and NothingToScan. Does not cover baselines.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from audits.catalogue import PROFILES
from audits.contests import ContestError
from audits.findings import Finding
from audits.folder import UsageError
from audits.guarded import scan_as_named
from audits.output.json_report import as_json
from audits.output.view import View
from audits.rules import CHECKS


@dataclass(frozen=True)
class Scan:
    """What reading a submission brought up. No failure is no proof of honesty."""

    view: View

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of every file, by file and line; each with its status under the profile."""
        return tuple(entry.finding for entry in self.view.entries)

    @property
    def failed(self) -> bool:
        """Whether one of them is a failure under the profile."""
        return self.view.failed

    @property
    def judged(self) -> bool:
        """Whether all of its code was read and a score recognised: else no failure says nothing."""
        return not self.view.reservations

    def to_json(self) -> dict[str, Any]:
        """The published form: `schemas/scan.schema.json`."""
        published: dict[str, Any] = json.loads(as_json(self.view))
        return published


def scan(
    path: str | PathLike[str],
    *,
    profile: str = "strict",
    entry: str | None = None,
    contest: str | None = None,
) -> Scan:
    """Reads a script or a submission's folder; `entry`: the file of the folder that is judged;
    `contest`: a name or a TOML file, where it is not to be recognised.
    """
    if profile not in PROFILES:
        raise UsageError(f"{profile}: no such profile; there are {', '.join(PROFILES)}")
    try:
        report = scan_as_named(Path(path), profile, entry, contest=contest)
    except ContestError as error:
        raise UsageError(str(error)) from error
    return Scan(View(profile, (report,), tuple(sorted(CHECKS))))
