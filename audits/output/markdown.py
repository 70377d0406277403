"""A pull-request comment: the answer, a table, the evidence folded, how to get it again.

Guarantees: text of a submission stays text: no mention, link, image or table of its own.
Does not cover: posting it.
"""

from __future__ import annotations

from typing import Final

from audits.catalogue import RULES
from audits.output.conclusion import not_judged, sentences
from audits.output.escape import fenced, markdown_text
from audits.output.text import flow_lines
from audits.output.view import Entry, View
from audits.rules import CHECKS

MAX_ROWS: Final = 30  # a comment holds 65,536 characters


def as_markdown(view: View) -> str:
    entries = sorted(
        view.entries, key=lambda one: ("fail", "warn", "info").index(one.finding.status)
    )
    parts = [_head(view)]
    if entries:
        parts += [
            "| | Rule | Where | What |\n|---|---|---|---|\n"
            + "\n".join(map(_row, entries[:MAX_ROWS]))
        ]
        parts += [_details(entry) for entry in entries[:MAX_ROWS] if entry.finding.status != "info"]
    if len(entries) > MAX_ROWS:
        parts.append(f"{len(entries) - MAX_ROWS} more findings are left out here.")
    parts += [
        f"{one.kind.capitalize()}: {markdown_text(one.path)} ({markdown_text(one.file.note)})"
        for one in view.reservations
    ]
    parts.append(_foot(view))
    return "\n\n".join(parts) + "\n"


def _head(view: View) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in view.counts.items())
    first = list(not_judged(view))
    lines = [f"**{markdown_text(one)}**" for one in first]
    lines.append(f"**Static audit, profile {view.profile}: {counts}**")
    lines += [markdown_text(one) for one in sentences(view) if one not in first]
    return "\n\n".join(lines)


def _row(entry: Entry) -> str:
    finding = entry.finding
    status = "known" if entry.known else finding.status
    title = f"{finding.rule} {RULES[finding.rule].title}"
    cells = (title, entry.place, finding.message)
    return f"| {status} | {' | '.join(map(markdown_text, cells))} |"


def _details(entry: Entry) -> str:
    finding, rule = entry.finding, RULES[entry.finding.rule]
    code = fenced((f"> {finding.excerpt}", *flow_lines(entry)))
    where = f" at line {finding.line}" if finding.line else ""
    return (
        f"<details><summary>{finding.rule}{where}</summary>\n\n"
        f"{markdown_text(rule.statement)}\n\n{code}\n\n"
        f"To clear it: {markdown_text(finding.clears)}\n\n</details>"
    )


def _foot(view: View) -> str:
    return (
        f"{len(view.rules)} rules were checked by reading code; "
        f"{len(RULES) - len(CHECKS)} need a run, logs or people. "
        "Again: `python -m audits.scan PATH`; about a rule: `python -m audits.scan --explain RULE`."
    )
