"""Which stream positions had been learned from when their score was fixed.

A position is *used* when a gradient was taken of a loss over it and an optimiser then stepped (or
weights were written by hand). A score is *fixed* at the forward pass that produced it, which is the
`loss` event behind the sum that it entered.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.protocol.schema import UPDATES
from harness.trace.reader import Capture
from harness.trace.reconstruct import Pass
from harness.trace.uses import NEVER


@dataclass(frozen=True, eq=False)
class UpdateView:
    """Per stream position, event numbers."""

    first_used: npt.NDArray[np.int64]  # (T,) the step after the first gradient over it, or NEVER
    used_inside: npt.NDArray[np.int64]  # (T,) the same, of gradients since the pass had begun
    scored_at: npt.NDArray[np.int64]  # (T,) the forward that fixed its score, or NEVER


def update_view(capture: Capture, scored: Pass, stream_length: int) -> UpdateView:
    """Joins the updates of a run with the scores of one pass."""
    scored_at = _scored_at(capture, scored, stream_length)
    begin = int(scored_at.min(initial=NEVER))
    return UpdateView(
        _first_used(capture, stream_length),
        _first_used(capture, stream_length, begin),
        scored_at,
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


def _scored_at(capture: Capture, scored: Pass, stream_length: int) -> npt.NDArray[np.int64]:
    fixed = capture.loss[scored.event]
    fixed = np.where(fixed >= 0, fixed, scored.event)
    at = np.full(stream_length, NEVER, np.int64)
    np.minimum.at(at, scored.position, fixed)
    return at
