"""Which tensors are log-probabilities, row by row, as `log_softmax` left them.

A token's score that is picked out of one is the cross-entropy of a softmax, as if `cross_entropy`
had been called. Views count with the tensor that they look at; a tensor that was written into since
counts no more, and a copy (`.to`, arithmetic) never. Tensors made in inference mode do not count
what is written into them: there, every row has to add up to one when a score is picked.
"""

import weakref
from typing import Any, NamedTuple

from torch import Tensor

from harness.inside.hooks.recording.identity_map import WeakIdentityMap

ROUNDING = 1e-3  # nats by which a row of float32 may miss one
SHARE = 64  # rows are not added up for the sake of fewer than one score for so many


class Rows(NamedTuple):
    """A tensor of log-probabilities."""

    entries: int  # of a row
    version: int  # of the tensor, when it was made; -1: in inference mode


UNKNOWN = Rows(0, 0)


class LogSoftmaxes:
    """The live ones."""

    def __init__(self) -> None:
        self.found: WeakIdentityMap[Rows] = WeakIdentityMap()
        self._homes: weakref.WeakValueDictionary[int, Tensor] = weakref.WeakValueDictionary()

    def put(self, out: Tensor, dim: Any) -> None:
        """`out` came from log_softmax along `dim`; only rows along the last one can be picked."""
        if dim in (-1, out.ndim - 1):
            self.found.put(out, Rows(out.shape[-1], -1 if out.is_inference() else out._version))
            self._homes[_home(out)] = out

    def width(self, source: Tensor, picked: int) -> int:
        """Entries of the softmax that a row of `source` is, of which so many scores were picked;
        0: none that is known.
        """
        tensor = self._homes.get(_home(source)) if self._homes else None
        entries, version = self.found.find(tensor) or UNKNOWN
        if not entries or not source.ndim or source.shape[-1] != entries:
            return 0
        if version < 0:
            enough = picked * SHARE * entries >= source.numel()
            return entries if enough and _adds_up(source) else 0
        return entries if version == source._version else 0


def _home(tensor: Tensor) -> int:
    """What views share."""
    return int(tensor.untyped_storage()._cdata)


def _adds_up(rows: Tensor) -> bool:
    return bool((rows.float().logsumexp(-1).abs() < ROUNDING).all())
