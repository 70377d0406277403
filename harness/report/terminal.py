"""The verdict on a screen: the number, the rules, what is not covered.

Guarantees: the evidence of a failed rule is never cut. Does not cover: the whole text of the other
rules, which is in report.md.
"""

import textwrap
from typing import Any

from harness.report.driven import driven_lines
from harness.report.markdown import MEANING, STATUS_ORDER

WIDTH = 100
MOST_LINES = 4  # of a rule that did not fail
MARKS = {"pass": "ok  ", "fail": "FAIL", "unknown": "?   ", "not_applicable": "n/a "}


def render_terminal(report: dict[str, Any]) -> str:
    """The JSON report as plain text."""
    others = ", ".join(f"{p}: {v}" for p, v in report["verdicts"].items())
    lines = [f"{report['submission']['name']}: {report['verdict']}  ({others})"]
    lines.append(MEANING[report["verdict"]])
    score = report["score"]
    if score and score["bits_per_byte"] is not None:
        lines.append(
            f"{score['bits_per_byte']:.6f} bits per byte = {score['nats']:,.1f} nats over"
            f" {score['tokens']:,} tokens, {score['bytes']:,} bytes"
        )
    if report["failure"]:
        lines += ["could not finish:", textwrap.indent(report["failure"], "    ")]
    rules = sorted(report["rules"].items(), key=lambda r: (STATUS_ORDER[r[1]["status"]], r[0]))
    lines += [_rule(rule, status) for rule, status in rules]
    if report.get("driven"):
        lines += ["driven:", *(_fact(line) for line in driven_lines(report["driven"]))]
    gaps = "not covered: " + "; ".join(report["not_covered"][:-1])
    lines.append(textwrap.fill(gaps, WIDTH, subsequent_indent="  "))
    return "\n".join(lines)


def _fact(line: str) -> str:
    return textwrap.fill(line, WIDTH, initial_indent="  ", subsequent_indent="      ")


def _rule(rule: str, status: dict[str, Any]) -> str:
    head = f"  {MARKS[status['status']]} {rule:<9} {status['level']:<12} "
    return textwrap.fill(
        status["message"],
        WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        max_lines=None if status["status"] == "fail" else MOST_LINES,
        placeholder=" ...",
    )
