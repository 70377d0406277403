"""NORM-1: at every scored position the distribution that was scored, summed over the alphabet in
float64.

More than 1 + 1e-4 is a violation, and its size is the lie. Less than one only hurts its author:
reported.
"""

import numpy as np

from harness.arrays import Floats
from harness.checks.status import Finding, Level, Status
from harness.referee.run import Run
from harness.tolerances import MASS_TOLERANCE

RULE = "NORM-1"


def check_mass(run: Run) -> Finding:
    """For a refereed run."""
    return of_mass(run.ledger.mass)


def of_mass(
    mass: Floats,  # (T,) sum of each position's distribution; NaN where none was seen
) -> Finding:
    """Of sums that were taken over the whole alphabet."""
    scored = np.flatnonzero(~np.isnan(mass))  # an infinite sum was seen, and is the largest lie
    if not len(scored):
        return Finding(RULE, Status.UNKNOWN, Level.REFEREE, "no row was seen")
    at = int(scored[np.abs(mass[scored] - 1).argmax()])
    above = scored[mass[scored] > 1 + MASS_TOLERANCE]
    numbers = {
        "worst_mass": float(mass[at]),
        "position": at,
        "mean_mass": float(mass[scored].mean()),
        "positions_above": len(above),
        "positions": len(scored),
    }
    text = f"worst sum {mass[at]:.7g} at position {at}, mean {numbers['mean_mass']:.9g}"
    if len(above):
        first = int(above[0])
        text = (
            f"distributions sum to more than one at {len(above):,} of {len(scored):,} positions,"
            f" first {first} ({mass[first]:.6g}); {text}"
        )
    status = Status.FAIL if len(above) else Status.PASS
    return Finding(RULE, status, Level.REFEREE, text, evidence=(numbers,))


def worst_gap(run: Run) -> float | None:
    """Worst |sum p - 1| over scored positions; None where no row was seen."""
    mass = run.ledger.mass[~np.isnan(run.ledger.mass)]
    return float(np.abs(mass - 1).max()) if len(mass) else None
