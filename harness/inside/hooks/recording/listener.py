"""Who is told of what the recorder writes down, as it happens (`requery`)."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from harness.inside.hooks.recording.position_maps import Positions


class Listener(Protocol):
    """What it is told."""

    def noted(self, event: int) -> None:
        """An event has its row. The process may stand still here, be copied, or end."""

    def scored(
        self, line: str, read_out: bool, positions: Positions, scores: npt.NDArray[np.float64]
    ) -> None:
        """(n,) scores, nats or log-probabilities, entered a total."""

    def learned(self, runs: npt.NDArray[np.int32]) -> None:
        """A gradient was taken over (n, 2) runs of positions [start, stop)."""

    def row_read(self, numbers: Callable[[], Any]) -> None:
        """An entry of a row of numbers, (V,) or None, was read by the id of the latest token."""

    def rows_picked(self, positions: Positions, row_at: Callable[[int], Any]) -> None:
        """Of rows of numbers, one entry each was picked; `row_at` a place of the positions."""
