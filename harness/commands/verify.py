"""scorefirst verify: does the evidence beside a report belong to it? Nothing is run.

Exit codes: 0 all of it does, 1 something does not, 2 no report of ours.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from audits.output.escape import visible, write_escapes
from harness.errors import UsageError

EPILOG = """\
examples:
  scorefirst verify reports/two_pass-1337
  scorefirst verify report.json --ledger ledger   a certificate, and the ledger that it is about
"""


def main(argv: Sequence[str] | None = None, prog: str = "scorefirst verify") -> int:
    """Runs the command; returns the exit code."""
    write_escapes(sys.stdout)
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Checks the files beside a report against it: hashes, sums of the ledger,"
        " lines of the log. Nothing of the submission is read or run.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("report", type=Path, help="report.json, or its folder")
    parser.add_argument(
        "--ledger", type=Path, metavar="DIR", help="of a certificate; default beside the report"
    )
    given = parser.parse_args(argv)
    from harness.replay.certificate import check_certificate
    from harness.replay.evidence import check_evidence
    from harness.replay.recorded import Recorded

    try:
        recorded = Recorded.read(given.report)
    except UsageError as error:
        print(f"scorefirst: {error}", file=sys.stderr)
        return 2
    print(f"{visible(str(recorded.path))}: {recorded.report['verdict']}, by {recorded.made_by}")
    checked = [*check_evidence(recorded), *check_certificate(recorded, given.ledger)]
    for one in checked:
        print(f"  {'holds' if one.holds else 'FAILS'}  {visible(one.text)}")
    return 0 if all(one.holds for one in checked) else 1
