"""report.md: the first screen, then folded what a reviewer asks for next.

Guarantees: what a submission wrote stays text, with no markup, mention, link or table of its own;
the lines are those of the terminal. Does not cover posting it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from audits.output.escape import fenced, markdown_text, visible
from harness.report.driven import driven_lines
from harness.report.summary import REPLAY

Json = Mapping[str, Any]

WITNESSES = {"harness": "the harness", "worker": "hooks in its own process"}
FOLDS = (
    ("What failed or is undecided, in full", ("fail", "unknown")),
    ("What passed", ("pass", "not_applicable")),
)


def render_markdown(report: Json) -> str:
    """The JSON report as Markdown."""
    verdict, *lines = report["summary"]["lines"]
    parts = [f"# {markdown_text(verdict)}", "\n".join(map(_item, lines))]
    if "\n" in (report["failure"] or ""):
        parts.append(_folded("What it printed last", fenced(report["failure"].split("\n"))))
    for title, statuses in FOLDS:
        rows = [row for row in report["rules"].items() if row[1]["status"] in statuses]
        if rows:
            parts.append(_folded(title, _table(rows)))
    if report.get("driven"):
        parts.append(_folded("How it was run, and every printed number", _run(report["driven"])))
    if said := [*_claimed(report.get("claims"))]:
        parts.append(_folded("What it says of its own numbers", _listed(said)))
    parts.append(_folded("Not covered", _listed(report["not_covered"])))
    parts.append(_made_by(report))
    return "\n\n".join(parts) + "\n"


def _item(line: str) -> str:
    """A line of the screen as an item, two blanks an indentation there as here."""
    text = line.lstrip(" ")
    indent = " " * (len(line) - len(text) - 2)
    if text.startswith(REPLAY):
        return f"{indent}* {REPLAY}{_code(text.removeprefix(REPLAY))}"
    return f"{indent}* {markdown_text(text)}"


def _code(text: str) -> str:
    """A span that no backtick of the text can end, and no line end."""
    text = visible(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if len(fence) > 1 else f"{fence}{text}{fence}"


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"* {markdown_text(line)}" for line in lines)


def _run(driven: Json) -> str:
    return _listed(driven_lines(driven))


def _claimed(claims: Json | None) -> Iterator[str]:
    """What does not simply hold."""
    for one in claims["findings"] if claims else ():
        if one["standing"] != "pass":
            at = f" ({', '.join(one['places'])})" if one["places"] else ""
            yield f"{one['standing']}, {one['rule']}: {one['message']}{at}"


def _table(rows: Sequence[tuple[str, Json]]) -> str:
    head = ["| Rule | Status | Level | Seen by | What was found |", "|---|---|---|---|---|"]
    return "\n".join([*head, *_rows(rows)])


def _rows(rows: Sequence[tuple[str, Json]]) -> Iterator[str]:
    for rule, status in rows:
        message = markdown_text(status["message"].replace("\n", " "))
        yield (
            f"| {rule} {status['title']} | **{status['status']}** | {status['level']}"
            f" | {WITNESSES[status['witness']]} | {message} |"
        )


def _made_by(report: Json) -> str:
    tool = report["tool"]
    commit = f", commit {tool['commit']}" if tool["commit"] else ""
    return f"Made by {tool['name']} {tool['version']}{commit}, {report['created']}."
