"""Keeps the whole distribution that a score was picked from, at a few positions that were chosen.

What stands before a token fixes its distribution, whatever token comes: two runs whose streams
differ from there on are held against each other by it.
Guarantees: `target` is the entry that the script itself picked; a row is kept with the `loss` that
fixed the score, in the arithmetic of its logits, and normalised in float64. Not covered: scores
that are picked out of anything but logits or a log_softmax; accelerators, whose host would have to
wait for them.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness.inside.hooks.dynamo_compat import from_numpy, to_numpy
from harness.inside.hooks.recording.position_maps import PositionMap
from harness.inside.hooks.recording.writer import Writer

MOST_ENTRIES = 1 << 24  # of all rows of a run: 64 MiB, as much as a log may take


class KeptRows:
    """The positions, and what was kept of them."""

    def __init__(self, wanted: tuple[int, ...], stream_length: int, writer: Writer) -> None:
        self._wanted = np.zeros(stream_length + 1, bool)  # the last one: no position, -1
        self._wanted[np.array(wanted, np.int64)] = True
        self._writer = writer
        self._left = MOST_ENTRIES if wanted else 0

    def look(
        self,
        mapped: PositionMap,  # of scores that were just picked
        rows: Any,  # (..., V) logits or log-probabilities, a row a score
        targets: Any,  # ids, as many as scores
    ) -> None:
        """Keeps the rows of the positions that are wanted."""
        places = mapped.positions.reshape(-1)
        if self._left <= 0 or rows.numel() != places.size * rows.shape[-1]:
            return
        chosen = np.flatnonzero(self._wanted[places])
        if not len(chosen) or targets.numel() != places.size or rows.device.type != "cpu":
            return
        entries = normalised(rows.detach().reshape(-1, rows.shape[-1])[from_numpy(chosen)])
        ids = to_numpy(targets.detach().reshape(-1)[from_numpy(chosen)])
        for place, target, log_p in zip(places[chosen], ids, entries, strict=True):
            self._writer.row(mapped.loss, int(place), int(target), log_p)
        self._left -= entries.size


def normalised(rows: Tensor) -> npt.NDArray[np.float32]:  # (n, V), of logits or log-probabilities
    """(n, V) log-probabilities, nats."""
    with torch.no_grad():
        found: npt.NDArray[np.float32] = to_numpy(torch.log_softmax(rows.double(), -1).float())
        return found
