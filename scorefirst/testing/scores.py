"""Scores that a caller's code gave, and whether other tokens behind a cut moved those before it.

Guarantees: `harness.checks.future` decides, with its threshold, its band of repeats and its second
seed; a future is asked for once more only where the first one moved something.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.arrays import Floats, Ints
from harness.checks.cut import Cut
from harness.checks.future import FutureChange, compare
from harness.tolerances import BAND_RUNS, BAND_TIMES, MOVE_NATS

SEEDS = (1, 2)  # of two changed futures


@dataclass(frozen=True, eq=False)
class Scores:
    """A pass of which every score counts alike."""

    position: npt.NDArray[np.int32]  # (n,)
    nats: Floats  # (n,)
    event: Ints  # (n,) order of scoring
    gap: float = 0.0  # nothing was printed

    @property
    def weight(self) -> Floats:
        """(n,) ones."""
        return np.ones(len(self.nats))


def repeats_of(base: Scores, again: Callable[[], Scores]) -> list[Scores]:
    """One identical call; as many as a band needs where that gave another number."""
    repeats = [again()]
    if not np.array_equal(base.nats, repeats[0].nats):
        repeats += [again() for _ in range(BAND_RUNS - 2)]
    return repeats


def under_futures(
    base: Scores,
    repeats: Sequence[Scores],
    future: Callable[[int], Scores],  # by the seed of the change
    cut: Cut,
) -> FutureChange:
    """What moved, under one future, or under two where the first moved something."""
    futures = [(SEEDS[0], future(SEEDS[0]))]
    result = compare(base, repeats, futures, cut)
    if result.needs_second_seed or result.faint:
        futures.append((SEEDS[1], future(SEEDS[1])))
        result = compare(base, repeats, futures, cut)
    return result


def heard_nats(base: Scores, repeats: Sequence[Scores]) -> float:
    """What a control must move a score by: more than calls differ by themselves."""
    noise = max(float(np.abs(again.nats - base.nats).max()) for again in repeats)
    return max(MOVE_NATS, BAND_TIMES * noise)


def moved_text(result: FutureChange) -> str:
    """The scores of the worst position: as it was, then under each future."""
    shown = result.counterexample
    assert shown is not None
    then = " and ".join(f"{nats:.6f}" for nats in shown.nats_changed.values())
    return f"{shown.nats:.6f} nats, then {then}"
