"""Which stream position each element of a tensor or an array stands for.

The map of an integer tensor says which token of the stream each id is; of a float tensor, whose
score (or probability) each number is.
Maps are numpy arrays because tensors made in inference mode may not be written to outside of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.inside.hooks.recording.identity_map import WeakIdentityMap

Positions = npt.NDArray[np.int32]  # -1: no token of the stream, or unknown


@dataclass(slots=True, eq=False)
class PositionMap:
    """What the elements of one tensor stand for. Never changed, and not frozen: that costs 1 us."""

    positions: Positions  # the tensor's shape
    loss: int = -1  # the `loss` event that the numbers come from; -1: these are ids
    weights: int = 0  # fingerprint of the parameters at that loss
    factor: Any = None  # what the scores were multiplied by since, of the tensor's shape, or None
    softmax_width: int = 0  # entries of the softmax whose cross-entropy they still are; 0: mixed
    row_width: int = 0  # entries of the rows weighing one whose probabilities they still are
    normaliser: Any = None  # a `Normaliser`, of logits and weights

    def moved(self, positions: Positions) -> "PositionMap":
        """The same after an operation that rearranged the elements."""
        factor = self.factor if isinstance(self.factor, int | float) else None
        return PositionMap(
            *(positions, self.loss, self.weights, factor, self.softmax_width, self.row_width),
            self.normaliser,
        )

    def averaged(self, positions: Positions) -> "PositionMap":
        """The same after a mixture of several scores of one token."""
        return PositionMap(positions, self.loss, self.weights)

    def scaled(self, positions: Positions, factor: Any) -> "PositionMap":
        """The same after arithmetic; None as a factor: a mixture, no cross-entropy any more."""
        width = 0 if factor is None else self.softmax_width
        return PositionMap(positions, self.loss, self.weights, factor, width)


LEAST_KNOWN = 0.5  # of an index, but for its padding: digits of ids coincide with some of them


def mostly_known(positions: Positions, ids: Callable[[], Any]) -> bool:
    """They are of the stream, and not some of them by chance. The commonest id may be padding."""
    known = np.count_nonzero(positions >= 0)
    if not known or known >= LEAST_KNOWN * positions.size:
        return bool(known)
    commonest = np.unique(ids(), return_counts=True)[1].max(initial=0)
    return bool(known >= LEAST_KNOWN * (positions.size - commonest))


UNRELATED = PositionMap(np.empty(0, np.int32))  # looked up, and not of this stream


class PositionMaps(WeakIdentityMap[PositionMap]):
    """What the live tensors stand for."""

    def related(self, thing: Any) -> PositionMap | None:
        """The map of a tensor; None: nobody looked yet, or it is not of this stream."""
        found = self.find(thing)
        return None if found is UNRELATED else found


def latest(maps: list[PositionMap]) -> PositionMap:
    """Of several, the one whose scores are the newest."""
    return max(maps, key=lambda m: m.loss)


def merged(shape: tuple[int, ...], maps: list[PositionMap]) -> Positions | None:
    """Positions of an element-wise result: the first map that knows an element decides."""
    out: Positions | None = None
    for each in maps:
        spread = _spread(each.positions, shape)
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
    """Positions after a reduction along which they do not change (a mixture of experts); None
    when tokens are added up.
    """
    high = positions.max(axis=axis, keepdims=True)
    if ((positions >= 0) & (positions != high)).any():
        return None
    kept: Positions = high if keepdims else np.squeeze(high, axis=axis)
    return kept
