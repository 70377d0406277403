"""report.md: a paragraph and a table that a reviewer can paste into a pull request."""

from typing import Any

from harness.report.driven import driven_lines

STATUS_ORDER = {"fail": 0, "unknown": 1, "pass": 2, "not_applicable": 3}

MEANING = {
    "CLEAN": "Every examined rule passed, the six rules of the law among them.",
    "VIOLATION": "At least one rule is broken; the evidence is below.",
    "REVIEW": "Nothing was proved against it, but something is undecided; a person must look.",
    "UNRUNNABLE": "It could not be read or run. This says nothing about compliance.",
}


def render_markdown(report: dict[str, Any], replay: str) -> str:
    """The JSON report as Markdown. `replay`: the command that repeats it."""
    name = report["submission"]["name"]
    parts = [
        f"# {report['verdict']}: {name}\n",
        f"{MEANING[report['verdict']]} Profile `{report['profile']}`; {_other_profiles(report)}.\n",
        _score(report),
        _failure(report),
        "| Rule | Status | Level | Seen by | What was found |\n|---|---|---|---|---|",
        "\n".join(_row(rule, status) for rule, status in _sorted(report["rules"])) + "\n",
        _driven(report.get("driven")),
        "Not covered:\n",
        "\n".join(f"* {line}" for line in report["not_covered"]) + "\n",
        f"Replay, from any folder, with a Python that has scorefirst installed: `{replay}`\n",
    ]
    return "\n".join(part for part in parts if part)


def _sorted(rules: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(rules.items(), key=lambda item: (STATUS_ORDER[item[1]["status"]], item[0]))


def _other_profiles(report: dict[str, Any]) -> str:
    return ", ".join(
        f"`{p}` says {v}" for p, v in report["verdicts"].items() if p != report["profile"]
    )


def _score(report: dict[str, Any]) -> str:
    score = report["score"]
    if not score or score["bits_per_byte"] is None:
        return "No score came to its end.\n"
    return (
        f"**{score['bits_per_byte']:.6f} bits per byte** ({score['nats']:,.1f} nats,"
        f" {score['tokens']:,} tokens, {score['bytes']:,} bytes).\n"
    )


def _failure(report: dict[str, Any]) -> str:
    return f"Could not finish:\n\n```\n{report['failure']}\n```\n" if report["failure"] else ""


def _driven(driven: dict[str, Any] | None) -> str:
    if not driven:
        return ""
    return "Driven:\n\n" + "\n".join(f"* {line}" for line in driven_lines(driven)) + "\n"


def _row(rule: str, status: dict[str, Any]) -> str:
    message = status["message"].replace("|", "\\|").replace("\n", " ")
    return (
        f"| {rule} {status['title']} | **{status['status']}** | {status['level']}"
        f" | {status['witness']} | {message} |"
    )
