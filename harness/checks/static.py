"""What reading the code showed: the scanner's findings as ours, level `read`.

A failure of high confidence fails its rule; a warning leaves it undecided; what is switched off is
information only. What a run said of the same rule is weighed against it in `verdict/table.py`.
Does not cover: scripts that no rule was tried on. `ScanReport.unjudged` names them, for the report
to say; a run may judge them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from audits.catalogue import RULES
from audits.findings import FileReport, Role, ScanReport
from audits.source import Outcome
from harness.checks.status import Finding, Level, Status, Step

# MISC-3: what cannot be read, or was not judged, is unknown, never clean
UNREAD = (Outcome.UNREADABLE, Outcome.PARTLY)


def check_static(report: ScanReport) -> list[Finding]:
    """One finding per rule that the scanner failed or warned about, and one for what it could not
    read, or what may be the submission beside the script that is judged.
    """
    findings: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for file in report.files:
        for finding in file.findings:
            if finding.status in ("fail", "warn"):
                entry = {"path": str(file.path), **asdict(finding)}
                findings.setdefault(finding.rule, []).append((finding.status, entry))
    said = []
    for rule, found in sorted(findings.items()):
        failed = [entry for status, entry in found if status == "fail"]
        first = (failed or [found[0][1]])[0]
        place = f"{first['path']}:{first['line']} {first['function']}"
        text = f"{place if first['line'] else first['path']}: {first['message']}"
        status = Status.FAIL if failed else Status.UNKNOWN
        entries = tuple(entry for _, entry in found)
        said.append(Finding(rule, status, Level.READ, text, entries, steps=_steps(first)))
    code = (file for file in report.files if file.role != Role.PAPER)  # those have a finding
    said += [_unread(file) for file in code if file.outcome in UNREAD]
    return said + [_also_started(file) for file in report.beside]


def first_lines(report: ScanReport, found: Sequence[Finding], profile: str) -> Iterator[str]:
    """What reading brought up, said before anything is run: a line a rule."""
    for one in found:
        severity = RULES[one.rule].severity[profile]
        if severity != "info":
            status = severity if one.status is Status.FAIL else "warn"
            yield f"read: {status.upper():4} {one.rule} {one.message}"
    if report.unjudged:
        yield from (f"read: {file.path}: {file.note}" for file in report.unjudged)
    elif not found:
        yield "read: nothing found in the code"


def _steps(entry: Mapping[str, Any]) -> tuple[Step, ...]:
    """What leads to the line that the scanner names, or that line alone."""
    flow = [
        Step(str(s["role"]).removesuffix(" here"), f"{s['file']}:{s['line']}")
        for s in entry["flow"]
    ]
    return tuple(flow) or (Step("found", f"{entry['path']}:{entry['line']}"),)


def _unread(file: FileReport) -> Finding:
    text = f"{file.path}: {file.outcome}, {file.note}; what was not read was not judged"
    return Finding("MISC-3", Status.UNKNOWN, Level.READ, text)


def _also_started(file: FileReport) -> Finding:
    text = f"{file.path}: {file.note}; it was only read: --entry {file.path} evaluates it"
    return Finding("MISC-3", Status.UNKNOWN, Level.READ, text)
