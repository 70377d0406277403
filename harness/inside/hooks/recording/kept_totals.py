"""Totals that were added up lately, found again by their value where a line keeps them.

A script may add up the losses of a chunk under several models or temperatures, and count one of
these totals: the plain number, or the entry of a tensor, that it keeps has no map any more, but is
the same to the bit. A mean is known by its number and by what it becomes times its tokens.

Guarantees: a total is of the tokens that were added up for it. Does not cover: totals over other
than the last dimensions, accelerators, a total that is changed before it is kept.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from harness.inside.hooks.recording.device_queue import numbers_of
from harness.inside.hooks.recording.position_maps import PositionMap

MOST = 1_024  # numbers that are remembered
LONGEST = 1 << 16  # scores of one total, which are held
MOST_AT_ONCE = 512  # entries of a tensor of totals
SAME = 1e-3  # relative: a total against its own scores, in whatever precision it was added up


class Total(NamedTuple):
    """What one number stands for."""

    mapped: PositionMap
    positions: npt.NDArray[np.int32]  # (n,)
    values: npt.NDArray[np.float64]  # (n,) what was added up


class LatestTotals:
    """By the number, the newest of those that come to it."""

    def __init__(self) -> None:
        self.by_value: dict[float, Total] = {}
        self.sizes: set[int] = set()  # entries of the arrays of totals that there were
        # The same by (number, place in its tensor, entries there): rows of one temperature zero
        # all cost the same.
        self._by_place: dict[tuple[float, int, int], Total] = {}

    def put(
        self,
        mapped: PositionMap,
        positions: npt.NDArray[np.int32],  # (n,)
        values: npt.NDArray[np.float64],  # (n,) scores, in the order of the positions
        numbers: npt.NDArray[np.float64],  # (k,) what they were added up to
    ) -> None:
        """Remembers the totals of runs of equal length."""
        if not 0 < len(numbers) <= MOST_AT_ONCE or len(values) % len(numbers):
            return
        n = len(values) // len(numbers)
        if not 2 <= n <= LONGEST:
            return
        runs, places = values.reshape(len(numbers), n), positions.reshape(len(numbers), n)
        sums = runs.sum(axis=1)
        is_mean = np.allclose(sums, numbers * n, rtol=SAME)
        if not (is_mean or np.allclose(sums, numbers, rtol=SAME)):
            return
        self.sizes.add(len(numbers))
        for place, number in enumerate(numbers.tolist()):
            total = Total(mapped, places[place], runs[place])
            for value in (number, number * n) if is_mean else (number,):
                _remember(self.by_value, value, total)
                _remember(self._by_place, (value, place, len(numbers)), total)

    def of_array(self, value: Any) -> list[Total]:
        """What every entry of a tensor or an array stands for; nothing, where one is no total."""
        size = value.numel() if isinstance(value, Tensor) else value.size
        if size not in self.sizes:
            return []
        found = []
        for place, number in enumerate(numbers_of(value).reshape(-1).tolist()):
            total = self._by_place.get((number, place, size), self.by_value.get(number))
            if total is None:
                return []
            found.append(total)
        return found


def _remember(totals: dict[Any, Total], key: Any, total: Total) -> None:
    totals.pop(key, None)
    totals[key] = total
    if len(totals) > MOST:
        del totals[next(iter(totals))]
