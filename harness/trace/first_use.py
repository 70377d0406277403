"""Which stream positions had been learned from when their score was fixed.

A position is *used* when a gradient was taken of a loss over it and an optimiser then stepped (or
weights were written by hand). A score is *fixed* at the forward pass that produced it, which is the
`loss` event behind the sum that counted it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.protocol.schema import UPDATES
from harness.trace.reader import Capture
from harness.trace.reconstruct import Pass

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class UpdateView:
    """Per stream position, event numbers."""

    first_used: npt.NDArray[np.int64]  # (T,) the step after the first gradient over it, or NEVER
    used_inside: npt.NDArray[np.int64]  # (T,) the same, of gradients since the pass had begun
    counted_at: npt.NDArray[np.int64]  # (T,) the forward that fixed its counted score, or NEVER


def update_view(capture: Capture, counted: Pass, stream_length: int) -> UpdateView:
    """Joins the updates of a run with the scores of one pass."""
    counted_at = _counted_at(capture, counted, stream_length)
    begin = int(counted_at.min(initial=NEVER))
    return UpdateView(
        _first_used(capture, stream_length),
        _first_used(capture, stream_length, begin),
        counted_at,
    )


def _first_used(capture: Capture, stream_length: int, begin: int = 0) -> npt.NDArray[np.int64]:
    updates = capture.events(*UPDATES)
    used = np.full(stream_length, NEVER, np.int64)
    for event, start, stop in zip(capture.use_event, capture.start, capture.stop, strict=True):
        index = np.searchsorted(updates, event)
        if index < len(updates) and event >= begin:
            part = used[start:stop]
            np.minimum(part, updates[index], out=part)
    return used


def _counted_at(capture: Capture, counted: Pass, stream_length: int) -> npt.NDArray[np.int64]:
    fixed = capture.loss[counted.event]
    fixed = np.where(fixed >= 0, fixed, counted.event)
    at = np.full(stream_length, NEVER, np.int64)
    np.minimum.at(at, counted.position, fixed)
    return at
