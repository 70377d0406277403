"""The command `python -m audits.scan PATH...`: reads submissions, runs nothing of them.

Guarantees: exit code 0 no failure, 1 failures, 2 the tool or its use failed, 3 nothing to scan, 4
could not parse; the same files give the same output.
Does not cover: proof. A failure is a pattern that the run reaches; no failure is not honesty.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from audits.catalogue import PROFILES, RULES
from audits.findings import FileReport, Finding, ScanReport
from audits.folder import NothingToScan, UsageError
from audits.judge import scan_path
from audits.render import as_json, as_text, explanation, rule_list
from audits.rules import CHECKS

OK, FAILURES, MISUSE, NOTHING, UNPARSED = range(5)
_EXAMPLES = """\
examples:
  python -m audits.scan train_gpt.py        one script, judged by its own defaults
  python -m audits.scan records/my_run      a folder, judged by the commands it documents
  python -m audits.scan --format json records/my_run
  python -m audits.scan --select ORDER-1,ORDER-2 records/my_run
  python -m audits.scan --explain NORM-2

exit codes: 0 no failure, 1 failures, 2 tool or use, 3 nothing to scan, 4 could not parse
"""


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    try:
        return _run(options)
    except UsageError as error:
        print(f"audits.scan: {error}", file=sys.stderr)
        return MISUSE
    except Exception as error:  # noqa: BLE001 - a crash of ours must not look like a failure of theirs
        traceback.print_exception(error)
        print("audits.scan: the scanner itself failed; nothing was judged", file=sys.stderr)
        return MISUSE


def _run(options: argparse.Namespace) -> int:
    if options.list_rules:
        print(rule_list(options.profile))
        return OK
    if options.explain:
        print(explanation(RULES[_known(options.explain)]))
        return OK
    if not options.paths:
        raise UsageError("no path given; name a script or a submission folder (see --help)")
    rules = selected(options.select, options.ignore)
    reports: list[ScanReport] = []
    for path in options.paths:
        try:
            reports.append(scan_path(path, options.profile, options.entry, rules))
        except NothingToScan as nothing:
            print(f"audits.scan: {nothing}", file=sys.stderr)
    if not reports:
        return NOTHING
    render = as_json if options.format == "json" else as_text
    print(render(reports, options.profile))
    return OK if options.exit_zero else _exit_code(reports)


def _exit_code(reports: Sequence[ScanReport]) -> int:
    if any(report.failed for report in reports):
        return FAILURES
    unread = any(file.outcome == "unreadable" for report in reports for file in report.files)
    return UNPARSED if unread else OK


def _known(name: str) -> str:
    wanted = name.strip().upper()
    if wanted not in RULES:
        raise UsageError(f"{name}: no such rule; --list-rules shows all of them")
    return wanted


def selected(select: str, ignore: str) -> list[str]:
    """The checks to run; naming a rule without a static check is an error, not silence."""
    chosen = {_known(name) for name in select.split(",") if name.strip()}
    dropped = {_known(name) for name in ignore.split(",") if name.strip()}
    if missing := sorted(chosen - set(CHECKS)):
        raise UsageError(f"{', '.join(missing)}: no static check; see --list-rules")
    return sorted((chosen or set(CHECKS)) - dropped)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m audits.scan",
        description="Reads language-model compression submissions and reports what breaks the "
        "rules. Nothing of a submission is run.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="a script or a folder")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument(
        "--profile",
        choices=PROFILES,
        default="strict",
        help="strict: the four conditions as written; leaderboard: what organisers accepted",
    )
    parser.add_argument("--entry", metavar="FILE", help="the file of the folder that is judged")
    parser.add_argument("--select", default="", metavar="RULES", help="only these, comma separated")
    parser.add_argument("--ignore", default="", metavar="RULES", help="all but these")
    parser.add_argument("--list-rules", action="store_true", help="print every rule and stop")
    parser.add_argument("--explain", metavar="RULE", help="print one rule with its cases and stop")
    parser.add_argument("--exit-zero", action="store_true", help="exit 0 even with failures")
    return parser


__all__ = ["FileReport", "Finding", "ScanReport", "main", "scan_path"]

if __name__ == "__main__":
    sys.exit(main())
