"""What a watched program leaves open: causality and mass are facts about streams, one run shows
neither.

Refuted or not, these stay *unknown* here: the sum over the alphabet was not taken, and no future
was replaced. PASS-3 rests on the headline's own count and on the rebuilt pass.
"""

from harness.checks.headline import Headline
from harness.checks.status import Level, RuleStatus, Status
from harness.referee.run import Run


def check_program_facts(run: Run, headline: Headline | None) -> list[RuleStatus]:
    """CAUSAL-1, NORM-1 and PASS-3 of a watched program."""
    n = run.stream.n_scored
    covered = (
        f"a captured pass over all {n:,} positions adds up to the printed number"
        f" (gap {headline.gap_nats:+.2e} nats per token)"
        if headline
        else f"the headline says {n:,} targets, but no captured pass adds up to it"
    )
    return [
        RuleStatus(
            "CAUSAL-1", Status.UNKNOWN, Level.BLACK_BOX, "no other future was tried on this program"
        ),
        RuleStatus("NORM-1", Status.UNKNOWN, Level.BLACK_BOX, "no sum over the alphabet was taken"),
        RuleStatus(
            "PASS-3",
            Status.PASS if headline else Status.UNKNOWN,
            Level.INSTRUMENTED,
            covered,
        ),
    ]
