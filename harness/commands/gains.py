"""The command `scorefirst gains LOG`: is the gain of a loop of tries more than noise?

Exit codes: 0 the whole gain is beyond noise, 3 it is not shown, 2 the tool or its use failed.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from audits.output.escape import visible, write_escapes
from harness.errors import UsageError

REAL, NOT_SHOWN, MISUSE = 0, 3, 2
EPILOG = """\
examples:
  {prog} results.tsv                       noise from commits that were run more than once
  {prog} results.tsv --sigma 0.0003        noise of one run, as you know it
  {prog} results.tsv --plot gains.svg      kept steps against the band of noise

exit codes: 0 the whole gain is beyond noise, 3 it is not shown, 2 the tool or its use failed
"""


def main(argv: Sequence[str] | None = None, prog: str = "scorefirst gains") -> int:
    """Runs the command; returns the exit code."""
    options = _parser(prog).parse_args(argv)
    write_escapes(sys.stdout)
    try:
        return _run(options)
    except UsageError as error:
        print(f"{prog}: {visible(str(error))}", file=sys.stderr)
        return MISUSE


def _run(options: argparse.Namespace) -> int:
    from harness.gains.plot import as_svg
    from harness.gains.said import as_json, lines
    from harness.gains.significance import gains_of
    from harness.gains.tries import read_tries

    if options.sigma is not None and not options.sigma > 0:
        raise UsageError(f"--sigma {options.sigma}: no number above 0")
    found = gains_of(read_tries(options.log), options.sigma)
    if options.plot is not None:
        try:
            options.plot.write_text(as_svg(found), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{options.plot}: {error.strerror}") from error
    shown = json.dumps(as_json(found), indent=2) if options.json else "\n".join(lines(found))
    print("\n".join(map(visible, shown.split("\n"))))
    return REAL if found.real else NOT_SHOWN


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Is a gain more than the best of many tries of one thing?",
        epilog=EPILOG.format(prog=prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("log", type=Path, help="results.tsv: one line a try")
    parser.add_argument("--sigma", type=float, metavar="S", help="the deviation of one run")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write an SVG there")
    parser.add_argument("--json", action="store_true", help="one object instead of lines")
    return parser
