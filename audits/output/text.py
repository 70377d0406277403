"""For people at a terminal: file, line, code, and the flow that leads there.

Guarantees: no control characters of a submission reach the terminal.
Does not cover: colours.
"""

from __future__ import annotations

from typing import Final

from audits.catalogue import RULES
from audits.findings import FileReport, ScanReport
from audits.output.conclusion import not_judged, sentences
from audits.output.escape import visible
from audits.output.map_text import map_lines
from audits.output.view import Entry, View, shown
from audits.source import Outcome

MOST_LISTED: Final = 20  # files that the entry never reaches
_INDENT: Final = " " * 7


def as_text(view: View) -> str:
    said = sentences(view)
    first = list(not_judged(view))
    lines = [visible(one) for one in first]
    lines += [line for report in view.reports for line in _report(view, report)]
    total = ", ".join(f"{count} {status}" for status, count in view.counts.items())
    lines.append(f"profile {view.profile}: {total}")
    lines += [visible(one) for one in said if one not in first]
    return "\n".join(lines) + "\n"


def _report(view: View, report: ScanReport) -> list[str]:
    entries = view.of(report)
    read = [file for file in report.files if file.outcome != Outcome.SKIPPED]
    lines = [visible(f"contest {report.contest}")] if report.contest else []
    for file in read:
        lines.append(_file(report, file))
        if file.recognised is not None:
            lines += [f"  {visible(line)}" for line in map_lines(file.path, file.recognised)]
        for entry in entries:
            if entry.file is file:
                lines += _entry(report, entry)
    others = [_file(report, file) for file in report.files if file.outcome == Outcome.SKIPPED]
    lines += others[:MOST_LISTED]
    if more := len(others[MOST_LISTED:]):
        lines.append(f"and {more} more Python files that the entry neither imports nor starts")
    return lines


def _file(report: ScanReport, file: FileReport) -> str:
    note = f" ({file.note})" if file.note else ""
    outcome = "beside" if file.outcome == Outcome.SKIPPED else file.outcome
    return visible(f"{shown(report, file.path)}: {outcome}{note}")


def _entry(report: ScanReport, entry: Entry) -> list[str]:
    finding = entry.finding
    where = entry.place
    if finding.wrapper_line is not None:
        where += f" (unpacked from line {finding.wrapper_line})"
    known = "  (in the baseline)" if entry.known else ""
    lines = [
        f"  {finding.status.upper():4} {finding.rule} {RULES[finding.rule].title}{known}",
        f"{_INDENT}{where}",
        f"{_INDENT}{finding.message}",
    ]
    lines += [f"{_INDENT}> {finding.excerpt}"] if finding.excerpt else []
    lines += [f"{_INDENT}  {line}" for line in flow_lines(entry)]
    lines += [f"{_INDENT}To clear it: {finding.clears}"] if finding.clears else []
    return [visible(line) for line in lines]


def flow_lines(entry: Entry) -> list[str]:
    """The steps in order of execution: what happens, where, and the code."""
    flow = entry.finding.flow
    where = [
        f"{step.line}" if step.file == entry.file.path else f"{step.file}:{step.line}"
        for step in flow
    ]
    roles = max((len(step.role) for step in flow), default=0)
    width = max(map(len, where), default=0)
    return [
        f"{step.role:{roles}}  {place:>{width}} | {step.excerpt}"
        for step, place in zip(flow, where, strict=True)
    ]
