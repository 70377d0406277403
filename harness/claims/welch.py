"""Is a record better than another by more than chance, and by more than the margin?

    H0: mean(new) >= mean(old) - margin       one-sided, Welch: seeds, unequal variances

Guarantees: scipy does the mathematics; fewer than two runs a side, or runs without any spread, give
no p, and say why. Does not cover: runs that were made and not shown, and chains of many tests.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Welch:
    """One comparison, in one unit; lower is better."""

    unit: str
    margin: float  # in that unit
    new: tuple[float, ...]
    old: tuple[float, ...]
    t: float | None
    freedom: float | None
    p: float | None  # that chance alone makes the new so much better
    interval: tuple[float, float] | None  # of mean(new) - mean(old), two-sided
    why: str = ""  # there is no p

    @property
    def difference(self) -> float:
        """Below zero: the new is better."""
        return fmean(self.new) - fmean(self.old)


def welch(new: Sequence[float], old: Sequence[float], unit: str, margin: float = 0.0) -> Welch:
    """Both sides have a run at least."""
    sides = tuple(new), tuple(old)
    if min(len(new), len(old)) < 2:
        why = f"{len(new)} and {len(old)} runs: a test needs two on each side"
        return Welch(unit, margin, *sides, None, None, None, None, why)
    if not stdev(new) and not stdev(old):
        why = "no run differs from another: there is no noise to compare with"
        return Welch(unit, margin, *sides, None, None, None, None, why)
    shifted = [value - margin for value in old]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # one side may have no spread at all
        test = stats.ttest_ind(new, shifted, equal_var=False, alternative="less")
        two_sided = stats.ttest_ind(new, old, equal_var=False)
    low, high = two_sided.confidence_interval(CONFIDENCE)
    numbers = float(test.statistic), float(test.df), float(test.pvalue)
    return Welch(unit, margin, *sides, *numbers, (float(low), float(high)))


def reaches(runs: Sequence[float], target: float) -> float | None:
    """One-sided p that the mean of the runs is not below a target; None of fewer than two."""
    if len(runs) < 2 or not stdev(runs):
        return None
    return float(stats.ttest_1samp(runs, target, alternative="less").pvalue)


def without_each(new: Sequence[float], old: Sequence[float], unit: str) -> tuple[float | None, ...]:
    """p where one run of the new is left out, for each of them in turn: what hangs on one seed."""
    rest = ([*new[:place], *new[place + 1 :]] for place in range(len(new)))
    return tuple(welch(some, old, unit).p if len(some) > 1 else None for some in rest)


def bits_to_nats(bits_per_byte: float) -> float:
    """Nats of a byte."""
    return bits_per_byte * math.log(2)
