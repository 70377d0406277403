"""Stream positions as half-open runs: 1, 2, 3, 7 -> [1, 4), [7, 8)."""

import numpy as np
import numpy.typing as npt


def position_runs(
    positions: npt.NDArray[np.integer],  # any shape; -1: no position
) -> npt.NDArray[np.int32]:  # (n, 2) start, stop; ascending
    """Each position once."""
    places = positions[positions >= 0]
    if not (places[1:] > places[:-1]).all():  # as a rule they stand in their order, once
        places = np.unique(places)
    if not len(places):
        return np.zeros((0, 2), np.int32)
    breaks = np.flatnonzero(np.diff(places) != 1)
    starts = places[np.concatenate([[0], breaks + 1])]
    stops = places[np.concatenate([breaks, [len(places) - 1]])] + 1
    return np.stack([starts, stops], axis=1).astype(np.int32)
