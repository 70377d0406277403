"""The verdict on a screen: the number, the rules, what is not covered.

Guarantees: the evidence of a failed rule is never cut. Does not cover: the whole text of the other
rules, which is in report.md.
"""

import textwrap
from typing import Any

from harness.report.driven import driven_lines
from harness.report.summary import MEANING, rules_in_order, score_shown, subject

WIDTH = 100
MOST_LINES = 4  # of a rule that did not fail
MARKS = {"pass": "ok  ", "fail": "FAIL", "unknown": "?   ", "not_applicable": "n/a "}


def render_terminal(report: dict[str, Any]) -> str:
    """The JSON report as plain text."""
    others = ", ".join(f"{p}: {v}" for p, v in report["verdicts"].items())
    lines = [f"{subject(report)}: {report['verdict']}  ({others})"]
    lines.append(MEANING[report["verdict"]])
    if (shown := score_shown(report)) is not None:
        text = f"{shown.bits_per_byte} = {shown.code_length}{shown.label}"
        lines.append(_wrapped(text, "  "))
    if report["failure"]:
        lines += ["could not finish:", textwrap.indent(report["failure"], "    ")]
    lines += [_rule(rule, status) for rule, status in rules_in_order(report)]
    if report.get("driven"):
        lines += [
            "driven:",
            *(_wrapped(line, "      ", "  ") for line in driven_lines(report["driven"])),
        ]
    gaps = "not covered: " + "; ".join(report["not_covered"][:-1])
    lines.append(_wrapped(gaps, "  "))
    return "\n".join(lines)


def _wrapped(text: str, indent: str, first: str = "") -> str:
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=indent)


def _rule(rule: str, status: Any) -> str:
    head = f"  {MARKS[status['status']]} {rule:<9} {status['level']:<12} "
    return textwrap.fill(
        status["message"],
        WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        max_lines=None if status["status"] == "fail" else MOST_LINES,
        placeholder=" ...",
    )
