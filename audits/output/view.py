"""One scan as every renderer sees it: findings with the path to show, a fingerprint, and whether a
baseline knows them.

Guarantees: a fingerprint survives lines that move and folders that are renamed; a baseline forgives
each finding as often as it holds it, and never a new one.
Does not cover: findings whose code changed; these are new.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import PurePath

from audits.findings import STATUSES, FileReport, Finding, Role, ScanReport
from audits.source import Outcome


@dataclass(frozen=True, slots=True)
class Entry:
    """One finding in its place."""

    path: str  # as the user would name the file
    file: FileReport
    finding: Finding
    fingerprint: str
    known: bool  # in the baseline

    @property
    def line(self) -> int:
        """The line in the file itself, which for packed code is the wrapper's."""
        return self.finding.wrapper_line or self.finding.line

    @property
    def place(self) -> str:
        """For people; a finding on a whole file has no line."""
        line, function = self.finding.line, self.finding.function
        return f"{self.path}:{line} in {function}" if line else self.path


class ReservationKind(StrEnum):
    """Why a file is no pass."""

    UNREADABLE = "unreadable"
    PARTLY = "read in part"
    UNJUDGED = "not judged"  # read, and no rule could be tried on it
    UNDECIDED = "undecided"  # judged, and it may not be what was submitted


@dataclass(frozen=True, slots=True)
class Reservation:
    """One file of code that is no pass."""

    kind: ReservationKind
    path: str  # as the user would name the file
    file: FileReport


@dataclass(frozen=True)
class View:
    """What is rendered."""

    profile: str
    reports: tuple[ScanReport, ...]
    rules: tuple[str, ...]  # the checks that ran
    nothing: tuple[str, ...] = ()  # messages of paths without anything to scan
    baseline: Mapping[str, int] | None = field(default=None)  # fingerprint -> how often

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        left = Counter(self.baseline or {})
        found = []
        for report, file in self.files:
            for finding, fingerprint in _fingerprinted(file):
                known = left[fingerprint] > 0
                left[fingerprint] -= known
                found.append(Entry(shown(report, file.path), file, finding, fingerprint, known))
        return tuple(found)

    @property
    def files(self) -> Iterator[tuple[ScanReport, FileReport]]:
        for report in self.reports:
            for file in report.files:
                yield report, file

    @cached_property
    def reservations(self) -> tuple[Reservation, ...]:
        """What keeps the scan from being a pass though nothing was found."""
        return tuple(
            Reservation(kind, shown(report, file.path), file)
            for report, file in self.files
            if (kind := _reservation(report, file)) is not None
        )

    def reservations_of(self, kind: ReservationKind) -> list[Reservation]:
        return [one for one in self.reservations if one.kind is kind]

    @property
    def judged(self) -> int:
        """Files that may be the submission, and that rules were tried on."""
        entries = (Role.ENTRY, Role.CANDIDATE)
        return sum(
            file.judged and file.role in entries and file.outcome != Outcome.UNREADABLE
            for _, file in self.files
        )

    @property
    def failed(self) -> bool:
        return any(one.finding.status == "fail" and not one.known for one in self.entries)

    def of(self, report: ScanReport) -> list[Entry]:
        mine = {id(file) for file in report.files}
        return [one for one in self.entries if id(one.file) in mine]

    @property
    def counts(self) -> dict[str, int]:
        """New findings by status, and those that the baseline knows."""
        new = Counter(one.finding.status for one in self.entries if not one.known)
        counts = {status: new[status] for status in STATUSES}
        if self.baseline is not None:
            counts["known"] = sum(one.known for one in self.entries)
        return counts


def _reservation(report: ScanReport, file: FileReport) -> ReservationKind | None:
    if file.role == Role.PAPER:
        return None  # it has a finding
    if file.outcome == Outcome.UNREADABLE:
        return ReservationKind.UNREADABLE
    if file in report.unjudged:
        return ReservationKind.UNJUDGED
    if file.outcome == Outcome.PARTLY:
        return ReservationKind.PARTLY
    return ReservationKind.UNDECIDED if file.role == Role.CANDIDATE else None


def shown(report: ScanReport, path: str) -> str:
    """A file of a report as the user would name it."""
    return PurePath(report.root, path).as_posix() if report.root else path


def _fingerprinted(file: FileReport) -> Iterator[tuple[Finding, str]]:
    """Rule, file, function and code, and which of several equal ones: all but the line."""
    seen: Counter[str] = Counter()
    for finding in file.findings:
        code = "".join(finding.excerpt.split())
        parts = (finding.rule, file.path, finding.function, code)
        digest = hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:24]
        seen[digest] += 1
        yield finding, f"{digest}:{seen[digest]}"
