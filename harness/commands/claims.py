"""scorefirst claims: do a folder's own numbers agree with each other, and with its files?

Exit codes: 0 nothing contradicts, 1 a rule fails, 3 something is for a person to look at, 2 the
tool or its use failed.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audits.catalogue import PROFILES
from audits.contests import ContestError
from audits.output.escape import visible, write_escapes
from harness.errors import UsageError

if TYPE_CHECKING:
    from audits.contests import Contest
    from harness.claims.against import Runs

HOLD, FAILED, MISUSE, OPEN = 0, 1, 2, 3
EPILOG = """\
examples:
  {prog} records/2026-03-23_LeakyReLU                       nothing is run
  {prog} my_submission --against records/2026-03-25_SOTA    and is it better by more than chance?
  {prog} my_submission --against 1.1151,1.1144,1.1148       the same, against bits per byte
  {prog} my_speedrun --contest modded_nanogpt --json        a race to a loss, as one object

exit codes: 0 nothing contradicts, 1 a rule fails, 3 something is for a person to look at, 2 the
tool or its use failed
"""


def main(argv: Sequence[str] | None = None, prog: str = "scorefirst claims") -> int:
    """Runs the command; returns the exit code."""
    options = _parser(prog).parse_args(argv)
    write_escapes(sys.stdout)
    try:
        return _run(options)
    except (UsageError, ContestError) as error:
        print(f"{prog}: {visible(str(error))}", file=sys.stderr)
        return MISUSE


def _run(options: argparse.Namespace) -> int:
    from audits.contests import chosen_contest
    from harness.claims.against import compare, runs_of
    from harness.claims.checks import check_claims
    from harness.claims.finding import Standing
    from harness.claims.reading import claims_of
    from harness.claims.said import as_json, lines, under

    folder = _folder(options.folder)
    contest = chosen_contest(folder, options.contest).contest
    claims = claims_of(folder, contest)
    found = check_claims(claims, contest)
    comparison = None
    if options.against is not None:
        comparison = compare(runs_of(claims), _runs(options.against, contest), contest)
    if options.json:
        shown = json.dumps(as_json(claims, found, comparison), indent=2)
    else:
        shown = "\n".join(lines(claims, contest, found, options.profile, comparison))
    print("\n".join(map(visible, shown.split("\n"))))
    standings = {under(one, options.profile) for one in found}
    if Standing.FAIL in standings:
        return FAILED
    return OPEN if standings & {Standing.WARN, Standing.UNKNOWN} else HOLD


def _runs(named: str, contest: "Contest") -> "Runs":
    """A folder, or numbers with commas between."""
    from harness.claims.against import runs_of, runs_of_numbers
    from harness.claims.reading import claims_of

    if Path(named).is_dir():
        return runs_of(claims_of(Path(named), contest))
    try:
        numbers = [float(word) for word in named.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(math.isfinite(number) and number > 0 for number in numbers):
        raise UsageError(f"--against {named}: no folder, and no numbers with commas between")
    return runs_of_numbers(numbers, contest)


def _folder(path: Path) -> Path:
    if path.is_dir():
        return path
    kind = "a file" if path.exists() else "no such folder"
    raise UsageError(f"{path}: {kind}; give the submission's folder, with its README and logs")


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Reads every number of README, submission.json and logs, and checks them"
        " against each other, the files and the contest's limits. Nothing is run.",
        epilog=EPILOG.format(prog=prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="the submission's folder")
    parser.add_argument(
        "--against", metavar="OTHER", help="a folder, or numbers of its runs: 1.1151,1.1144"
    )
    parser.add_argument("--contest", metavar="NAME", help="a contest by name or file")
    parser.add_argument("--profile", choices=PROFILES, default="strict", help="of the severities")
    parser.add_argument("--json", action="store_true", help="every number, as one object")
    return parser
