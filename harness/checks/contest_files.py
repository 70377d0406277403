"""PASS-4: is the number that of the contest's own evaluator?

Guarantees: a frozen file that is missing or another one leaves the rule undecided, with its digest;
it accuses nobody, as honest ports change evaluators. Does not cover: what happens to it in a run.
"""

from pathlib import Path

from audits.contests import Contest, frozen_files
from harness.checks.status import Finding, Level, Status


def check_frozen(contest: Contest, folder: Path) -> list[Finding]:
    """Nothing where every frozen file is the contest's own."""
    others = [one.said for one in frozen_files(contest, folder) if not one.is_own]
    if not others:
        return []
    return [Finding("PASS-4", Status.UNKNOWN, Level.READ, "; ".join(others))]
