"""Totals on an accelerator, brought to the host many at a time and without waiting for it.

A script's host runs ahead of its accelerator, and waits only where it wants a number. The watch
keeps it so: scores gather in a buffer over there; of a full one a copy to pinned memory is asked
for, and taken in when the next is asked for, which is long after it came.
Nor is Python's collector woken, which would walk all that a compiler left behind: nothing is kept
here that it counts.
Guarantees: scores are handed on in the order in which they were put. Does not cover: scripts that
count on several streams of the accelerator at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness.inside.hooks.dynamo_compat import to_numpy
from harness.inside.hooks.recording.position_maps import Positions

QUEUED = 1_024  # totals that one copy to the host brings,
QUEUED_SCORES = 1 << 20  # and the scores in them: 8 MB; a larger total makes the buffer larger

# Events (n,), places (n,), values (n,) and weights (n,) of the scores.
Receiver = Callable[
    [npt.NDArray[np.int64], Positions, npt.NDArray[np.float64], npt.NDArray[np.float64]], None
]


@dataclass(frozen=True, eq=False)
class Totals:
    """Some `sum` events, in columns."""

    events: list[int] = field(default_factory=list)
    positions: list[Positions] = field(default_factory=list)
    factors: list[Any] = field(default_factory=list)  # of the positions' shape, a number, or None

    def sizes(self) -> list[int]:
        """Scores of each."""
        return [positions.size for positions in self.positions]

    def weights(self) -> npt.NDArray[np.float64]:
        """(n,) what the scores were multiplied by."""
        if all(factor is None for factor in self.factors):
            return np.ones(sum(self.sizes()))
        pairs = zip(self.factors, self.positions, strict=True)
        return np.concatenate([spread(factor, positions) for factor, positions in pairs])


@dataclass(frozen=True, eq=False)
class PendingCopy:
    """Totals whose numbers were asked for."""

    totals: Totals
    values: Tensor  # (n,) float64, on the host; to be read when `ready`
    ready: torch.Event | None  # None: is there


class DeviceQueue:
    """The queue."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._waiting = Totals()
        self._buffer = torch.empty(0)  # (n,) float64, on the device of the first scores
        self._scores = 0  # in the buffer
        self._pending: PendingCopy | None = None

    def put(self, event: int, positions: Positions, values: Tensor, factor: Any) -> None:
        """Scores that are read later; `values` are copied now."""
        if self._scores + positions.size > self._buffer.numel():
            self._send_for()
            self._make_room(positions.size, values.device)
        start, self._scores = self._scores, self._scores + positions.size
        self._buffer[start : self._scores].copy_(values.detach().reshape(-1))
        self._waiting.events.append(event)
        self._waiting.positions.append(positions)
        self._waiting.factors.append(factor.detach() if isinstance(factor, Tensor) else factor)
        if len(self._waiting.events) >= QUEUED:
            self._send_for()

    def drain(self) -> None:
        """Everything is taken in."""
        self._send_for()
        self._receive()

    def _make_room(self, scores: int, device: torch.device) -> None:
        if scores <= self._buffer.numel():
            return
        room = max(scores, QUEUED_SCORES)
        with torch.inference_mode(False):  # to be written to in whatever mode
            self._buffer = torch.empty(room, dtype=torch.float64, device=device)

    def _send_for(self) -> None:
        self._receive()
        totals, self._waiting = self._waiting, Totals()
        used, self._scores = self._scores, 0
        if not used:
            return
        ready = None
        values = self._buffer[:used].to("cpu", non_blocking=True)  # into pinned memory
        if self._buffer.device.type == "cpu":
            values = values.clone()
        else:
            ready = torch.Event(self._buffer.device)
            ready.record()
        self._pending = PendingCopy(totals, values, ready)

    def _receive(self) -> None:
        arrived, self._pending = self._pending, None
        if arrived is None:
            return
        if arrived.ready is not None:
            arrived.ready.synchronize()
        totals = arrived.totals
        events = np.repeat(totals.events, totals.sizes())
        places = np.concatenate([positions.reshape(-1) for positions in totals.positions])
        self._receiver(events, places, to_numpy(arrived.values), totals.weights())


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
