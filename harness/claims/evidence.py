"""What claims weigh in a verdict: numbers that contradict each other, the files or a limit.

Guarantees: a failure fails its rule, a warning leaves it undecided, and what holds by a folder's
own word passes nothing: a log proves no rule. What is missing from a folder, and what could not be
read, is told beside the verdict, since neither says anything of the number.
Does not cover: what runs say of the same rule; `harness/verdict/table.py` weighs the two.
"""

from collections.abc import Sequence

from harness.checks.status import Finding, Level, Status, Step
from harness.claims.finding import ClaimFinding, Standing

STATUSES = {Standing.FAIL: Status.FAIL, Standing.WARN: Status.UNKNOWN}
NOT_OF_THE_NUMBER = frozenset({"PACKAGE-1", "PACKAGE-2"})


def weighed(findings: Sequence[ClaimFinding]) -> list[Finding]:
    """Those that a verdict hears of."""
    return [
        Finding(
            one.rule,
            STATUSES[one.standing],
            Level.READ,
            one.message,
            steps=tuple(Step("claimed", str(place)) for place in one.places),
        )
        for one in findings
        if one.standing in STATUSES and one.rule not in NOT_OF_THE_NUMBER
    ]
