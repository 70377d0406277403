"""scorefirst replay: the counterexample of a report, made again and shown from both sides.

Exit codes: 0 it was made again, 1 it did not come again, 2 the tool or its use failed, 4 an input
is missing or another one.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audits.output.escape import visible, write_escapes
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.replay.recorded import Counterexample, Recorded
    from harness.request import Request

EPILOG = """\
examples:
  scorefirst replay reports/two_pass-1337/report.json
  scorefirst replay report.json --finding CAUSAL-1.3   the fourth number behind CAUSAL-1
"""


def main(argv: Sequence[str] | None = None, prog: str = "scorefirst replay") -> int:
    """Runs the command; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        write_escapes(stream)
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Runs what a report proved once more, from its seed and configuration, and"
        " shows both sides; or says which input is missing.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("report", type=Path, help="report.json, or its folder")
    parser.add_argument("--finding", default="", metavar="ID", help="RULE or RULE.N; default: all")
    given = parser.parse_args(argv)
    try:
        return _replay(given.report, given.finding)
    except (HarnessError, OSError) as error:
        print(f"scorefirst: {error}", file=sys.stderr)
        return 2


def _replay(path: Path, finding: str) -> int:
    from harness.commands.command_line import parser, request_of
    from harness.replay.inputs import differences
    from harness.replay.recorded import Recorded

    recorded = Recorded.read(path)
    wanted = recorded.counterexamples(finding)
    request = request_of(parser().parse_args(recorded.words))
    found = differences(recorded, request)
    for one in found:
        print(f"{'MISSING' if one.stops else 'differs'}  {visible(one.text)}")
    if any(one.stops for one in found):
        return 4
    with tempfile.TemporaryDirectory() as out:
        return _shown(recorded, request, wanted, Path(out))


def _shown(
    recorded: "Recorded", request: "Request", wanted: "Sequence[Counterexample]", out: Path
) -> int:
    from harness.commands.progress import Shown
    from harness.replay.recorded import is_predictor
    from harness.replay.refereed import RefereedReplay
    from harness.replay.whole import WholeReplay

    asked = RefereedReplay(recorded, request, out / "asked") if is_predictor(recorded) else None
    whole: WholeReplay | None = None
    again = True
    for one in wanted:
        print(f"{one.name} ({one.level}): {visible(one.message)}", flush=True)
        replayed = asked.replayed(one) if asked else None
        if replayed is None:
            whole = whole or WholeReplay(recorded, request, Shown(), out / "whole")
            replayed = whole.replayed(one)
        for line in replayed.lines:
            print(f"  {visible(line)}")
        again &= replayed.again
    print("it was made again" if again else "it did not come again: both sides are above")
    return 0 if again else 1
