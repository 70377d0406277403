"""When positions were first learned from: the same as `trace.first_use`, without a row a position,
and rank by rank.

Runs of positions are cut at all their ends; between two neighbouring ends every position has the
same first use. Memory follows the number of runs, not the stream's length. A rank's gradients go
into its own steps; another rank knows of them behind the next exchange (`trace.ranks`), whatever
the clock says.
"""

from dataclasses import dataclass

import numpy as np

from harness.arrays import Bools, Ints
from harness.protocol.schema import UPDATES, EventKind
from harness.trace.reader import Capture
from harness.trace.uses import NEVER


class FirstUses:
    """By position, the event of the first update of a rank behind its gradient over it."""

    def __init__(self, capture: Capture, begin: int = 0, rank: int = 0) -> None:
        """`begin`: gradients before this event do not count."""
        updates = capture.events(*UPDATES)
        updates = updates[capture.rank[updates] == rank]
        behind = np.searchsorted(updates, capture.use_event)
        known = (behind < len(updates)) & (capture.use_event >= begin)
        known &= capture.rank[capture.use_event] == rank
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


@dataclass(frozen=True, eq=False)
class RankClocks:
    """What can be known where."""

    rank: Ints  # (E,)
    epoch: Ints  # (E,) exchanges of its rank before each event
    ordered: bool  # every rank made as many: where not, nobody says what one knew of another

    @classmethod
    def of(cls, capture: Capture) -> "RankClocks":
        """One rank is in order."""
        exchange = capture.kind == EventKind.EXCHANGE
        epoch = np.zeros(len(capture.kind), np.int64)
        made = []
        for rank in np.unique(capture.rank):
            mine = capture.rank == rank
            epoch[mine] = np.cumsum(exchange[mine])
            made.append(int(exchange[mine].sum()))
        return cls(capture.rank.astype(np.int64), epoch, len(set(made)) <= 1)

    def is_known(self, used: Ints, scored: Ints, by: int) -> Bools:
        """(n,) the update `used` (event of the rank `by`, or NEVER) was known where `scored` was
        computed.
        """
        found = used < scored  # its own
        other = np.flatnonzero(self.rank[scored] != by)
        there = found[other] & (
            self.epoch[np.where(found[other], used[other], 0)] < self.epoch[scored[other]]
        )
        found[other] = there & self.ordered
        return found
