"""The command `python -m audits.scan PATH...`: reads submissions, runs nothing of them.

Guarantees: exit code 0 everything was judged and nothing failed, 1 failures, 2 the tool or its use
failed, 3 something was not judged, or it is open which file was submitted, 4 a file could not be
read to its end; a report is written but for wrong use; one path that cannot be read keeps no other
from being read, and nothing in it can take this process along (`audits/guarded.py`); the same files
give the same output.
Does not cover: proof. A failure is a pattern that the run reaches; no failure is not honesty.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from audits.catalogue import PROFILES, RULES
from audits.contests import ContestError, load_contest, shipped_names
from audits.findings import ScanReport
from audits.folder import NothingToScan, UsageError
from audits.guarded import scan_as_named, scan_guarded
from audits.interruption import ends_at_once
from audits.output import FORMATS
from audits.output.conclusion import MISUSE, NOTHING, OK, exit_code
from audits.output.escape import visible, write_escapes
from audits.output.json_report import read_baseline
from audits.output.rule_text import explanation, rule_list
from audits.output.view import View
from audits.rules import CHECKS
from audits.tool import version

STDIN: Final = Path("-")
PROG: Final = "python -m audits.scan"  # scorefirst calls it by another name
CRASHED: Final = "the scanner itself failed; nothing was judged there"
_EXAMPLES = """\
examples:
  {prog} train_gpt.py        one script, judged by its own defaults
  {prog} records/my_run      a folder, judged by the run that it documents
  git show HEAD:train_gpt.py | {prog} -
  {prog} --select ORDER,NORM-2 records/my_run
  {prog} --format json --output known.json records/*
  {prog} --baseline known.json records/*     only what is new fails
  {prog} --explain NORM-2

exit codes: 0 no failure, 1 failures, 2 the tool or its use failed,
3 something was not judged (a path without code, a script in which no score was recognised),
or any of several files may be the submission,
4 a file of code could not be parsed, or only in part
"""


def main(argv: Sequence[str] | None = None, prog: str = PROG) -> int:
    options = _parser(prog).parse_args(argv)
    write_escapes(sys.stdout)
    try:
        with ends_at_once():
            return _run(options, prog)
    except UsageError as error:
        print(f"{prog}: {visible(str(error))}", file=sys.stderr)
        return MISUSE
    except Exception as error:  # noqa: BLE001 - a crash of ours must not look like a failure of theirs
        traceback.print_exception(error)
        print(f"{prog}: the scanner itself failed; nothing was judged", file=sys.stderr)
        return MISUSE


def _run(options: argparse.Namespace, prog: str) -> int:
    if options.list_rules:
        return _write(rule_list(options.profile), options.output)
    if options.explain:
        return _write(explanation(RULES[_known(options.explain)]), options.output)
    if not options.paths:
        raise UsageError("no path given; name a script or a submission folder (see --help)")
    _require_contest(options.contest)
    view = _view(options)
    for message in view.nothing:
        print(f"{prog}: {visible(message)}", file=sys.stderr)
    _write(FORMATS[options.format](view), options.output)
    if any(message.endswith(CRASHED) for message in view.nothing):
        return MISUSE
    if not view.reports:
        return NOTHING
    return OK if options.exit_zero else exit_code(view)


def _require_contest(named: str | None) -> None:
    """Once, before any path is read."""
    try:
        if named is not None:
            load_contest(named)
    except ContestError as error:
        raise UsageError(f"--contest {error}") from error


def _view(options: argparse.Namespace) -> View:
    rules = selected(options.select, options.ignore)
    baseline = None if options.baseline is None else read_baseline(options.baseline)
    reports: list[ScanReport] = []
    nothing: list[str] = []
    for path in options.paths:
        try:
            reports.append(_scan(path, options, rules))
        except NothingToScan as error:
            nothing.append(str(error))
        except UsageError:
            raise
        except Exception as error:  # noqa: BLE001 - the other paths are still to be read
            traceback.print_exception(error)
            nothing.append(f"{path}: {CRASHED}")
    return View(options.profile, tuple(reports), tuple(rules), tuple(nothing), baseline)


def _scan(path: Path, options: argparse.Namespace, rules: Sequence[str]) -> ScanReport:
    if path == STDIN:
        return _scan_stdin(options, rules)
    return scan_as_named(path, options.profile, options.entry, rules, options.contest)


def _scan_stdin(options: argparse.Namespace, rules: Sequence[str]) -> ScanReport:
    """One script from standard input, judged like a lone file."""
    script = sys.stdin.buffer.read()
    with tempfile.TemporaryDirectory(prefix="scorefirst-") as folder:
        path = Path(folder, "stdin.py")
        path.write_bytes(script)
        return scan_guarded(path, options.profile, None, rules)


def _write(text: str, output: Path | None) -> int:
    if output is None:
        sys.stdout.write(text)
        return OK
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output}: {error.strerror}; the report was not written") from error
    return OK


def _known(name: str) -> str:
    wanted = name.strip().upper()
    if wanted not in RULES:
        raise UsageError(f"{name}: no such rule; --list-rules shows all of them")
    return wanted


def _named(names: str) -> set[str]:
    """Rules by name, or by the name of their family."""
    found: set[str] = set()
    for name in filter(None, map(str.strip, names.split(","))):
        family = {rule for rule in CHECKS if rule.startswith(f"{name.upper()}-")}
        found |= family or {_known(name)}
    return found


def selected(select: str, ignore: str) -> list[str]:
    """The checks to run; naming a rule without a static check is an error, not silence."""
    chosen, dropped = _named(select), _named(ignore)
    if missing := sorted(chosen - set(CHECKS)):
        raise UsageError(f"{', '.join(missing)}: no static check; see --list-rules")
    if not (left := sorted((chosen or set(CHECKS)) - dropped)):
        raise UsageError("no rule is left to check; see --select and --ignore")
    return left


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Reads language-model compression submissions and reports what breaks the "
        "rules. Nothing of a submission is run.",
        epilog=_EXAMPLES.format(prog=prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("paths", nargs="*", type=Path, metavar="PATH", help="a script, a folder, or - for stdin")
    add("--format", choices=tuple(FORMATS), default="text")
    add("--output", type=Path, metavar="FILE", help="write there instead of on the screen")
    add(
        "--profile",
        choices=PROFILES,
        default="strict",
        help="strict: the four conditions as written; leaderboard: what organisers accepted",
    )
    add("--entry", metavar="FILE", help="the file of the folder that is judged")
    add(
        "--contest",
        metavar="NAME|FILE",
        help=f"whose rules: {', '.join(shipped_names())}, or a TOML file; default recognised",
    )
    add("--select", default="", metavar="RULES", help="only these, or families; comma separated")
    add("--ignore", default="", metavar="RULES", help="all but these")
    add("--baseline", type=Path, metavar="FILE", help="a JSON report; what it holds cannot fail")
    add("--list-rules", action="store_true", help="print every rule and stop")
    add("--explain", metavar="RULE", help="print one rule with its cases and stop")
    add("--exit-zero", action="store_true", help="exit 0 even with failures")
    add("--version", action="version", version=f"scorefirst {version()}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
