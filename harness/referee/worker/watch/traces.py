"""What is remembered of a tensor's memory: which stream positions it came from, element by element
or as a whole, and which of them arrived through weights that had learned them.

Keyed by storage, so views, `.data` and `detach()` share one record; a weak reference keeps a freed
storage's address from being mistaken for its successor. Sets of positions are Python integers used
as bitsets (bit t = position t): a union over 65,536 positions takes about a microsecond.
"""

import weakref
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

Bits = int
Positions = npt.NDArray[np.int64]

SWEEP_EVERY = 4096  # new records between two sweeps of dead ones


@dataclass
class Trace:
    """The record of one storage."""

    reference: StorageWeakRef
    seen: Bits = 0  # positions whose tokens flowed in directly
    learned: Bits = 0  # positions whose tokens flowed in through written weights
    weight: "weakref.ref[Tensor] | None" = None  # set when the storage is a weight's
    how: str = ""  # for a weight: what wrote it last, "optimiser" or "in place"
    elements: Tensor | None = None  # (numel,) int64 position per element; -1 where there is none
    loss: "LossRecord | None" = None  # set when the elements are per-token losses
    log_probs: str = ""  # "log" or "prob" when the storage holds softmax output over the alphabet

    @property
    def is_weight(self) -> bool:
        """A Parameter or another leaf that wants gradients lives here."""
        return self.weight is not None


@dataclass(frozen=True)
class LossRecord:
    """The circumstances of one loss call."""

    nats: dict[int, float]  # position -> its loss
    learned: Bits  # positions that the weights of the forward had learned
    how: str
    inference_mode: bool
    grad_mode: bool
    coarse: bool  # computed from 16-bit logits
    site: str


class Traces:
    """All live records."""

    def __init__(self) -> None:
        self._by_storage: dict[int, Trace] = {}
        self._made = 0

    def find(self, tensor: Tensor) -> Trace | None:
        """The record of a tensor's storage, if there is a live one."""
        trace = self._by_storage.get(tensor.untyped_storage()._cdata)
        return None if trace is None or _expired(trace) else trace

    def of(self, tensor: Tensor) -> Trace:
        """The record, made when missing."""
        trace = self.find(tensor)
        if trace is None:
            storage = tensor.untyped_storage()
            trace = self._by_storage[storage._cdata] = Trace(StorageWeakRef(storage))  # type: ignore[no-untyped-call]
            self._made += 1
            if self._made % SWEEP_EVERY == 0:
                self._sweep()
        return trace

    def mark_weight(self, tensor: Tensor) -> None:
        """Notes that a Parameter, or a leaf that wants gradients, lives in this storage."""
        trace = self.of(tensor)
        if trace.weight is None:
            trace.weight = weakref.ref(tensor)

    def weights(self) -> dict[int, Tensor]:
        """Live weights by storage, in the order in which they were first used."""
        found = {k: t.weight() for k, t in self._by_storage.items() if t.weight is not None}
        return {k: tensor for k, tensor in found.items() if tensor is not None}

    def positions(self, tensor: Tensor) -> Tensor | None:
        """(shape of tensor) int64 position per element, or None."""
        trace = self.find(tensor)
        return None if trace is None else view_like(trace.elements, tensor)

    def _sweep(self) -> None:
        self._by_storage = {k: t for k, t in self._by_storage.items() if not _expired(t)}


def _expired(trace: Trace) -> bool:
    return bool(trace.reference.expired())  # type: ignore[no-untyped-call]


def view_like(elements: Tensor | None, tensor: Tensor) -> Tensor | None:
    """The part of a storage-wide map that a view covers."""
    if elements is None or len(elements) != storage_numel(tensor):  # seen as another dtype
        return None
    return torch.as_strided(elements, tensor.size(), tensor.stride(), tensor.storage_offset())


def storage_numel(tensor: Tensor) -> int:
    """Elements of the tensor's dtype that its storage holds."""
    return tensor.untyped_storage().nbytes() // tensor.element_size()


def bits_of(positions: Tensor | Positions) -> Bits:
    """A bitset of the non-negative entries."""
    flat = np.asarray(positions).reshape(-1)
    flat = flat[flat >= 0]
    if not len(flat):
        return 0
    mask = np.zeros(int(flat.max()) + 1, np.bool_)
    mask[flat] = True
    return int.from_bytes(np.packbits(mask, bitorder="little").tobytes(), "little")


def members(bits: Bits) -> list[int]:
    """The positions in a bitset, ascending."""
    raw = np.frombuffer(bits.to_bytes(bits.bit_length() // 8 + 1, "little"), np.uint8)
    return [int(p) for p in np.flatnonzero(np.unpackbits(raw, bitorder="little"))]
