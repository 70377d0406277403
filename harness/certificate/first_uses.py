"""When positions were first learned from: the same as `trace.first_use`, without a row a position.

Runs of positions are cut at all their ends; between two neighbouring ends every position has the
same first use. Memory follows the number of runs, not the stream's length.
"""

import numpy as np

from harness.arrays import Ints
from harness.protocol.schema import UPDATES
from harness.trace.reader import Capture
from harness.trace.uses import NEVER


class FirstUses:
    """By position, the event of the first update behind a gradient over it."""

    def __init__(self, capture: Capture, begin: int = 0) -> None:
        """`begin`: gradients before this event do not count."""
        updates = capture.events(*UPDATES)
        behind = np.searchsorted(updates, capture.use_event)
        known = (behind < len(updates)) & (capture.use_event >= begin)
        start, stop = capture.start[known], capture.stop[known]
        self._ends = np.unique(np.concatenate([start, stop]))
        self._first = np.full(len(self._ends) + 1, NEVER)  # row 0: before the first end
        low, high = (np.searchsorted(self._ends, ends) + 1 for ends in (start, stop))
        for first, last, at in zip(low, high, updates[behind[known]], strict=True):
            part = self._first[first:last]
            np.minimum(part, at, out=part)

    def of(self, positions: Ints) -> Ints:
        """(n,) events; NEVER."""
        rows = np.searchsorted(self._ends, positions, side="right")
        return np.asarray(self._first[rows])
