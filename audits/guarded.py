"""A scan whose reading cannot take this process with it.

Guarantees: a report, whatever the files hold: where the reading ended by its bounds, the target is
*unreadable*, with the cause. Raises UsageError and NothingToScan as a scan does.
Does not cover: what a report of many targets says beside that one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from audits.bounded import Bounds, Unfinished, in_child
from audits.findings import FileReport, Role, ScanReport
from audits.judge import scan_path
from audits.rules import CHECKS
from audits.source import Outcome


def scan_guarded(
    path: Path,
    profile: str = "strict",
    entry: str | None = None,
    rules: Collection[str] = tuple(CHECKS),
    bounds: Bounds = Bounds(),  # noqa: B008 - frozen
    contest: str | None = None,
) -> ScanReport:
    """What `scan_path` gives."""
    try:
        return in_child(lambda: scan_path(path, profile, entry, rules, contest), bounds)
    except Unfinished as why:
        name = path.name if path.is_file() else entry or "."
        unread = FileReport(name, Outcome.UNREADABLE, (), str(why), Role.ENTRY, judged=False)
        return ScanReport(profile, (unread,))


def scan_as_named(
    path: Path,
    profile: str,
    entry: str | None,
    rules: Collection[str] = tuple(CHECKS),
    contest: str | None = None,
) -> ScanReport:
    """The same, with paths as the user named them."""
    report = scan_guarded(path, profile, entry, rules, contest=contest)
    return replace(report, root=str(path.parent if path.is_file() else path))
