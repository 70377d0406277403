"""report.md: a paragraph and a table that a reviewer can paste into a pull request."""

from typing import Any

from harness.report.driven import driven_lines
from harness.report.summary import MEANING, rules_in_order, score_shown, subject


def render_markdown(report: dict[str, Any], replay: str) -> str:
    """The JSON report as Markdown. `replay`: the command that repeats it."""
    parts = [
        f"# {report['verdict']}: {subject(report)}\n",
        f"{MEANING[report['verdict']]} Profile `{report['profile']}`; {_other_profiles(report)}.\n",
        _score(report),
        _failure(report),
        _table(report),
        _driven(report.get("driven")),
        "Not covered:\n",
        "\n".join(f"* {line}" for line in report["not_covered"]) + "\n",
        f"Replay, from any folder, with a Python that has scorefirst installed: `{replay}`\n",
    ]
    return "\n".join(part for part in parts if part)


def _other_profiles(report: dict[str, Any]) -> str:
    return ", ".join(
        f"`{p}` says {v}" for p, v in report["verdicts"].items() if p != report["profile"]
    )


def _score(report: dict[str, Any]) -> str:
    shown = score_shown(report)
    if shown is None:
        return "No score came to its end.\n"
    return f"**{shown.bits_per_byte}** ({shown.code_length}){shown.label}.\n"


def _failure(report: dict[str, Any]) -> str:
    return f"Could not finish:\n\n```\n{report['failure']}\n```\n" if report["failure"] else ""


def _driven(driven: dict[str, Any] | None) -> str:
    if not driven:
        return ""
    return "Driven:\n\n" + "\n".join(f"* {line}" for line in driven_lines(driven)) + "\n"


def _table(report: dict[str, Any]) -> str:
    if not report["rules"]:
        return "No rule was judged.\n"
    rows = [_row(rule, status) for rule, status in rules_in_order(report)]
    head = ["| Rule | Status | Level | Seen by | What was found |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"


def _row(rule: str, status: Any) -> str:
    message = status["message"].replace("|", "\\|").replace("\n", " ")
    return (
        f"| {rule} {status['title']} | **{status['status']}** | {status['level']}"
        f" | {status['witness']} | {message} |"
    )
