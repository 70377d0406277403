"""PASS-1 and PASS-3: every position scored, each exactly once."""

import numpy as np

from harness.checks.status import Finding, Level, Status
from harness.referee.ledger import describe, ranges_of
from harness.referee.run import Run


def check_coverage(run: Run) -> list[Finding]:
    """For a refereed run, whose harness asked every question itself."""
    times = run.ledger.times_scored[1:]
    missing = ranges_of((1 + np.flatnonzero(times == 0)).tolist())
    twice = ranges_of((1 + np.flatnonzero(times > 1)).tolist())
    return [
        Finding(
            "PASS-1",
            Status.FAIL if twice else Status.PASS,
            Level.REFEREE,
            f"scored more than once: {describe(twice)}" if twice else "each position has one score",
        ),
        Finding(
            "PASS-3",
            Status.FAIL if missing else Status.PASS,
            Level.REFEREE,
            f"never scored: {describe(missing)}"
            if missing
            else f"all {len(times):,} positions were scored",
        ),
    ]
