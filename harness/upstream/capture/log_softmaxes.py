"""Which tensors are log-probabilities, row by row, as `log_softmax` left them.

A token's score that is picked out of one is the cross-entropy of a softmax, as if `cross_entropy`
had been called. Views count with the tensor that they look at; a tensor that was written into since
counts no more, and a copy (`.to`, arithmetic) never.
"""

import weakref
from typing import Any

from torch import Tensor

from harness.upstream.capture.marks import identity


class LogSoftmaxes:
    """The live ones."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Tensor], int, int]] = {}

    def put(self, out: Tensor, dim: Any) -> None:
        """`out` came from log_softmax along `dim`; only rows along the last one can be picked."""
        if dim not in (-1, out.ndim - 1):
            return
        key = identity(out)
        reference = weakref.ref(out, lambda _: self._known.pop(key, None))
        self._known[key] = (reference, out.shape[-1], out._version)

    def width(self, source: Tensor) -> int:
        """Entries of the softmax that a row of `source` is; 0: none that is known."""
        for tensor in (source, source._base):
            entry = self._known.get(identity(tensor))
            if entry is not None and entry[0]() is tensor and entry[2] == source._version:
                return entry[1] if source.ndim and source.shape[-1] == entry[1] else 0
        return 0
