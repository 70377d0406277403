"""Totals on an accelerator, brought to the host many at a time and without waiting for it.

A script's host runs ahead of its accelerator, and waits only where it wants a number. The watch
keeps it so: copies of the scores gather over there; of every `QUEUED` totals one copy to pinned
memory is asked for, and taken in when the next is asked for, which is long after it came.
Guarantees: scores are handed on in the order in which they were put. Does not cover: scripts that
count on several streams of the accelerator at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness.upstream.capture.marks import Positions
from harness.upstream.capture.unseen import to_numpy

QUEUED = 1_024  # totals that one copy to the host brings,
QUEUED_SCORES = 1 << 22  # and the scores in them: 32 MB

# Events (n,), places (n,), values (n,) and weights (n,) of the scores.
TakeIn = Callable[
    [npt.NDArray[np.int64], Positions, npt.NDArray[np.float64], npt.NDArray[np.float64]], None
]


@dataclass(frozen=True, eq=False)
class Total:
    """The scores of one `sum` event."""

    event: int
    positions: Positions
    values: Tensor  # of the positions' shape, and ours: the script may write into its own
    factor: Any  # what they were multiplied by: of that shape, one number, or None


@dataclass(frozen=True, eq=False)
class OnTheWay:
    """Totals whose numbers were asked for."""

    totals: list[Total]
    values: Tensor  # (n,) float64, on the host; to be read when `there`
    there: torch.Event | None  # None: is there


class Arrivals:
    """The queue."""

    def __init__(self, take_in: TakeIn) -> None:
        self._take_in = take_in
        self._waiting: list[Total] = []
        self._scores = 0
        self._on_the_way: OnTheWay | None = None

    def put(self, event: int, positions: Positions, values: Tensor, factor: Any) -> None:
        """Scores that are read later; `values` are copied now."""
        factor = factor.detach() if isinstance(factor, Tensor) else factor
        self._waiting.append(Total(event, positions, values.detach().clone(), factor))
        self._scores += positions.size
        if len(self._waiting) >= QUEUED or self._scores >= QUEUED_SCORES:
            self._send_for()

    def drain(self) -> None:
        """Everything is taken in."""
        self._send_for()
        self._receive()

    def _send_for(self) -> None:
        self._receive()
        totals, self._waiting, self._scores = self._waiting, [], 0
        if not totals:
            return
        joined = torch.cat([total.values.reshape(-1).double() for total in totals])
        there = None
        values = joined.to("cpu", non_blocking=True)  # into pinned memory
        if joined.device.type != "cpu":
            there = torch.Event(joined.device)
            there.record()
        self._on_the_way = OnTheWay(totals, values, there)

    def _receive(self) -> None:
        arrived, self._on_the_way = self._on_the_way, None
        if arrived is None:
            return
        if arrived.there is not None:
            arrived.there.synchronize()
        totals = arrived.totals
        events = np.repeat([t.event for t in totals], [t.positions.size for t in totals])
        places = np.concatenate([t.positions.reshape(-1) for t in totals])
        weights = np.concatenate([spread(t.factor, t.positions) for t in totals])
        self._take_in(events, places, to_numpy(arrived.values), weights)


def spread(factor: Any, positions: Positions) -> npt.NDArray[np.float64]:
    """(n,) the factor of each position; ones where there is none."""
    if factor is None:
        return np.ones(positions.size)
    return np.broadcast_to(numbers_of(factor), positions.shape).reshape(-1)


def numbers_of(values: Any) -> npt.NDArray[np.float64]:
    """Numbers as a float64 array of their own."""
    if isinstance(values, Tensor):
        values = to_numpy(values.detach().cpu().double())
    return np.array(values, dtype=np.float64, subok=False)
