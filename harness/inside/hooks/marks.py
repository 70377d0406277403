"""Marks: which stream position each element of a tensor or an array stands for.

A mark on an integer tensor says which token of the stream each id is; on a float tensor, which
token's score (or probability) each number is.
Maps are numpy arrays because tensors made in inference mode may not be written to outside of it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.inside.hooks.beside import Beside

Positions = npt.NDArray[np.int32]  # -1: no token of the stream, or unknown


@dataclass(slots=True, eq=False)
class Mark:
    """What the elements of one tensor stand for. Never changed, and not frozen: that costs 1 us."""

    positions: Positions | None  # the tensor's shape; None: looked up, and not of this stream
    loss: int = -1  # the `loss` event that the numbers come from; -1: these are ids
    weights: int = 0  # fingerprint of the parameters at that loss
    factor: Any = None  # what the scores were multiplied by since, of the tensor's shape, or None
    softmax: int = 0  # entries of the softmax whose cross-entropy they still are; 0: mixed since

    def moved(self, positions: Positions) -> "Mark":
        """The same after an operation that rearranged the elements."""
        return Mark(positions, self.loss, self.weights, None, self.softmax)

    def averaged(self, positions: Positions) -> "Mark":
        """The same after a mixture of several scores of one token."""
        return Mark(positions, self.loss, self.weights)


FOREIGN = Mark(None)


Marks = Beside[Mark]


def merged(shape: tuple[int, ...], maps: list[Positions]) -> Positions | None:
    """Map of an element-wise result: the first map that knows an element decides."""
    out: Positions | None = None
    for positions in maps:
        spread = _spread(positions, shape)
        if spread is None:
            continue
        out = spread if out is None else np.where(out >= 0, out, spread)
    return out


def _spread(positions: Positions, shape: tuple[int, ...]) -> Positions | None:
    if positions.shape == shape:
        return positions
    try:
        spread: Positions = np.broadcast_to(positions, shape)
    except ValueError:
        return None
    return np.array(spread) if spread.size <= 64 * positions.size else None


def mixed(positions: Positions, axis: int | tuple[int, ...], keepdims: bool) -> Positions | None:
    """Map after a reduction along which the position does not change (a mixture of experts); None
    when tokens are added up.
    """
    high = positions.max(axis=axis, keepdims=True)
    if ((positions >= 0) & (positions != high)).any():
        return None
    kept: Positions = high if keepdims else np.squeeze(high, axis=axis)
    return kept
