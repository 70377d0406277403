"""A pull-request comment: the answer, a table, the evidence folded, how to get it again.

Guarantees: text of a submission stays text: no mention, link, image or table of its own.
Does not cover: posting it.
"""

from __future__ import annotations

import re
from typing import Final

from audits.catalogue import RULES
from audits.output.text import flow_lines, visible
from audits.output.view import NO_FINDING, Entry, View

MAX_ROWS: Final = 30  # a comment holds 65,536 characters
_SPECIAL: Final = re.compile(r"[\\`*_\[\]<>#|@&~]|:(?=//)|\.(?<=www\.)", re.IGNORECASE)


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
    parts += [f"Not read: {_plain(path)} ({_plain(file.note)})" for path, file in view.unreadable]
    parts += [_plain(message) for message in view.nothing]
    parts.append(_foot(view))
    return "\n\n".join(parts) + "\n"


def _head(view: View) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in view.counts.items())
    lines = [f"**Static audit, profile {view.profile}: {counts}**"]
    if not view.counts["fail"] and not view.unreadable:
        lines.append(NO_FINDING)
    return "\n\n".join(lines)


def _row(entry: Entry) -> str:
    finding = entry.finding
    status = "known" if entry.known else finding.status
    title = f"{finding.rule} {RULES[finding.rule].title}"
    where = f"{_plain(entry.path)}:{finding.line} in {_plain(finding.function)}"
    return f"| {status} | {_plain(title)} | {where} | {_plain(finding.message)} |"


def _details(entry: Entry) -> str:
    finding, rule = entry.finding, RULES[entry.finding.rule]
    code = "\n".join(visible(line) for line in (f"> {finding.excerpt}", *flow_lines(entry)))
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
    return (
        f"<details><summary>{finding.rule} at line {finding.line}</summary>\n\n"
        f"{_plain(rule.statement)}\n\n{fence}text\n{code}\n{fence}\n\n</details>"
    )


def _foot(view: View) -> str:
    return (
        f"{len(view.rules)} rules were checked by reading code; the other "
        f"{len(RULES) - len(view.rules)} need a run, logs or people. "
        "Again: `python -m audits.scan PATH`; about a rule: `python -m audits.scan --explain RULE`."
    )


def _plain(text: str) -> str:
    """What Markdown or GitHub would read as markup, mention or address, as character references."""
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", visible(text))
