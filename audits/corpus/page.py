"""One self-contained page for a reviewer: every submission, sorted and filtered in the browser.

Guarantees: no network, no outside file; everything that comes from a submission is escaped; without
scripts the page is a plain table, worst verdicts first.
Does not cover: editing; it is a view of results.jsonl.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from typing import Any, Final

from audits.catalogue import RULES
from audits.corpus.summary import VERDICTS, RuleRow, Summary, findings, verdict, worst_by_rule
from audits.output.escape import html_text, lines

Record = Mapping[str, Any]
MAX_NOTE: Final = 4_000  # characters of a traceback
_MARK: Final = re.compile("@[A-Z_]+@")


def render(records: Iterable[Record], summary: Summary, profile: str) -> str:
    rows = sorted(records, key=lambda one: (VERDICTS.index(verdict(one)), one["ref"]))
    parts = {
        "@PROFILE@": escape(profile),
        "@COUNTS@": _counts(summary),
        "@VERDICTS@": _options(summary.verdicts),
        "@RULES@": _options(row.rule for row in summary.rules),
        "@RULE_ROWS@": "\n".join(_rule_row(row) for row in summary.rules),
        "@ROWS@": "\n".join(_row(record) for record in rows),
    }
    template = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    # One pass over the template, so that a mark inside a submission stays what it is.
    return _MARK.sub(lambda mark: parts[mark[0]], template)


def _counts(summary: Summary) -> str:
    verdicts = ", ".join(f"{count} {escape(name)}" for name, count in summary.verdicts.items())
    return (
        f"{summary.submissions} submissions of {summary.refs} refs, {summary.contents} distinct "
        f"contents: {verdicts}. {summary.omitted} files were too big, or not in the clone."
    )


def _options(names: Iterable[str]) -> str:
    return "".join(f"<option>{escape(name)}</option>" for name in names)


def _rule_row(row: RuleRow) -> str:
    numbers = "".join(f"<td class=n>{count}</td>" for count in (row.fail, row.warn, row.info))
    return f"<tr><td>{escape(row.rule)}</td>{numbers}<td>{escape(row.title)}</td></tr>"


def _row(record: Record) -> str:
    said = verdict(record)
    rules = worst_by_rule(record)
    chips = " ".join(
        f'<span class="{status}" title="{escape(RULES[rule].title)}">{escape(rule)}</span>'
        for rule, status in sorted(rules.items())
    )
    cells = (
        f'<td data-key="{VERDICTS.index(said):02}"><b class="{_css(said)}">{escape(said)}</b></td>',
        f'<td data-key="{_number(record["ref"])}">{_text(record["ref"])}</td>',
        f"<td>{_text(record['folder'] or '(top)')}{_details(record)}</td>",
        f'<td data-key="{len(rules):03}">{chips}</td>',
        f'<td class=n data-key="{record["wall_s"]:09.3f}">{record["wall_s"]:.2f}</td>',
    )
    return f'<tr data-verdict="{escape(said)}" data-rules="{" ".join(rules)}">{"".join(cells)}</tr>'


def _details(record: Record) -> str:
    """Findings, notes and omissions, folded."""
    parts = [_finding(file, finding) for file, finding in findings(record)]
    for file in record["files"]:
        if file["note"] or file["outcome"] != "parsed":
            parts.append(
                f"<p>{_text(file['path'])}: {_text(file['outcome'])} {_text(file['note'])}"
            )
    if record["note"]:
        parts.append(f"<pre>{_text(record['note'][-MAX_NOTE:])}</pre>")
    parts += [
        f"<p>{_text(one['path'])}: not read ({_text(one['why'])})"
        for one in record.get("omitted", ())
    ]
    if not parts:
        return ""
    return f"<details><summary>{len(parts)}</summary>{''.join(parts)}</details>"


def _finding(file: Record, finding: Record) -> str:
    where = file["path"]
    if finding["line"]:
        where += f":{finding['line']} in {finding['function']}"
    if finding["wrapper_line"] is not None:
        where += f" (unpacked from line {finding['wrapper_line']})"
    code = [f"> {finding['excerpt']}"] + [
        f"{step['role']} {step['file']}:{step['line']}  {step['excerpt']}"
        for step in finding["flow"]
    ]
    return (
        f'<p><b class="{escape(finding["status"])}">{_text(finding["rule"])}</b> {_text(where)}<br>'
        f"{_text(finding['message'])}<pre>{_text(chr(10).join(code))}</pre>"
    )


def _css(said: str) -> str:
    return said.replace(" ", "-")


def _number(ref: str) -> str:
    """Pull requests sort by number."""
    digits = "".join(letter for letter in ref if letter.isdigit())
    return f"{int(digits):012}" if digits and len(digits) < 12 else _text(ref)


def _text(value: object) -> str:
    """Escaped line by line; git paths may hold bytes that are no text."""
    return lines(str(value), html_text)
