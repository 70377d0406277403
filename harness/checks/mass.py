"""NORM-1: at every scored position the distribution that was scored, summed over the alphabet in
float64.

More than 1 + 1e-4 is a violation, and its size is the lie. Less than one only hurts its author:
reported.
"""

import numpy as np

from harness.checks.status import Level, RuleStatus, Status
from harness.referee.run import Run

MASS_TOLERANCE = 1e-4  # float32 rows of 8,192 entries sum to 1 within about 1e-6; this is far above


def check_mass(run: Run) -> RuleStatus:
    """For a refereed run."""
    mass = run.ledger.mass
    scored = np.flatnonzero(~np.isnan(mass))  # an infinite sum was seen, and is the largest lie
    if not len(scored):
        return RuleStatus("NORM-1", Status.UNKNOWN, Level.REFEREE, "no row was seen")
    at = int(scored[np.abs(mass[scored] - 1).argmax()])
    heavy = scored[mass[scored] > 1 + MASS_TOLERANCE]
    numbers = {
        "worst_mass": float(mass[at]),
        "position": at,
        "mean_mass": float(mass[scored].mean()),
        "positions_above": len(heavy),
        "positions": len(scored),
    }
    text = f"worst sum {mass[at]:.7g} at position {at}, mean {numbers['mean_mass']:.9g}"
    if len(heavy):
        first = int(heavy[0])
        text = (
            f"distributions sum to more than one at {len(heavy):,} of {len(scored):,} positions,"
            f" first {first} ({mass[first]:.6g}); {text}"
        )
    status = Status.FAIL if len(heavy) else Status.PASS
    return RuleStatus("NORM-1", status, Level.REFEREE, text, findings=(numbers,))


def worst_gap(run: Run) -> float | None:
    """Worst |sum p - 1| over scored positions; None where no row was seen."""
    mass = run.ledger.mass[~np.isnan(run.ledger.mass)]
    return float(np.abs(mass - 1).max()) if len(mass) else None
