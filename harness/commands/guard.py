"""The command `scorefirst guard`: may I keep this commit?

Reads and runs the working tree for at most a minute or so, and says one line and one JSON object:
what was found, that on changed lines first. Exit codes are those of `evaluate`.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audits.interruption import ends_at_once
from audits.output.escape import visible, write_escapes
from harness.errors import HarnessError

MISUSE = 2
BUDGET_S = 50.0
UNSEEN = "a log that was typed by hand, and what was tried and not written down, no code shows"
EPILOG = """\
examples:
  {prog}                       the working tree against HEAD
  {prog} --base main~3         the lines that changed since another revision
  {prog} --contest my.toml     a contest of your own

for an agent's instructions (program.md):
  Before you keep a commit run `scorefirst guard`. Keep it only on exit code 0.
  On 1 discard it: its number is not honest, and the line says why.
  On 3 or 4 do not keep it by yourself: say what the line says to a person.

exit codes: 0 clean, 1 violation, 2 the tool or its use failed, 3 review, 4 unrunnable
"""


def main(argv: Sequence[str] | None = None, prog: str = "scorefirst guard") -> int:
    """Runs the command; returns the exit code."""
    options = _parser(prog).parse_args(argv)
    write_escapes(sys.stdout)
    try:
        with ends_at_once():
            return _run(options)
    except (HarnessError, OSError) as error:
        print(f"{prog}: {visible(str(error))}", file=sys.stderr)
        return MISUSE


def _run(options: argparse.Namespace) -> int:
    from harness.changed_lines import changed_lines
    from harness.library import evaluate
    from harness.verdict.decide import EXIT_CODES

    began = time.monotonic()
    changed = changed_lines(options.folder, options.base)
    with tempfile.TemporaryDirectory(prefix="scorefirst-guard-") as place:
        report = evaluate(
            options.folder,
            out=options.out or Path(place, "report"),
            contest=options.contest,
            profile=options.profile,
            budget_s=options.budget,
            seed=options.seed,
        )
    told = report.to_json()
    findings = _findings(told["rules"])
    for one in findings:
        one["changed"] = any(map(changed.holds, one["places"]))
    findings.sort(key=lambda one: (not one["changed"], one["status"] != "fail", one["rule"]))
    seconds = round(time.monotonic() - began, 1)
    code = EXIT_CODES[report.verdict]
    said = findings[0]["message"] if findings else "nothing was proved, and nothing is undecided"
    if report.failure:
        said = report.failure
    print(visible(f"{report.verdict}  {changed.said}, {seconds} s: {_first(said)}"))
    print(
        json.dumps(
            {
                "verdict": str(report.verdict),
                "exit_code": code,
                "base": options.base,
                "changed": {name: sorted(lines) for name, lines in changed.lines.items()},
                "seconds": seconds,
                "findings": findings,
                "unseen": UNSEEN,
            }
        )
    )
    return code


def _findings(rules: dict[str, Any]) -> list[dict[str, Any]]:
    """What failed or is undecided, with its lines."""
    return [
        {
            "rule": rule,
            "status": status["status"],
            "message": status["message"],
            "places": [step["place"] for step in status.get("steps", ())],
        }
        for rule, status in rules.items()
        if status["status"] in ("fail", "unknown")
    ]


def _first(text: str) -> str:
    line = text.split("\n")[0]
    return line if len(line) <= 200 else f"{line[:197]}..."


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Reads and runs a working tree briefly: may this commit be kept?",
        epilog=EPILOG.format(prog=prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("folder", nargs="?", type=Path, default=Path(), help="of the repository; default here")
    add("--base", default="HEAD", metavar="REV", help="what the lines are compared with; HEAD")
    add("--contest", metavar="NAME|FILE", help="whose rules; default recognised")
    add("--profile", choices=("strict", "leaderboard"), default="strict")
    add("--budget", type=float, default=BUDGET_S, metavar="S", help="seconds for all runs; 50")
    add("--seed", type=int, metavar="N", help="of what is drawn; default drawn anew")
    add("--out", type=Path, metavar="FOLDER", help="keep the report there")
    return parser
