"""A slab: one block of shared memory, at most 64 MB, for the arrays of one message.

Anonymous (a memfd on Linux, an unlinked temporary file elsewhere): no name another process could
open, nothing left behind by a crash. A memfd is sealed: it keeps its size whoever holds it, since a
page that is gone would end the process that reads it. Readers get a private copy, so a writer
cannot change a number after it was sent. Whole chunks never fit on purpose: 32,768 rows of an
8,192-entry alphabet are 1 GB.
"""

import fcntl
import math
import mmap
import os
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import ContractError
from harness.predictor import SLAB_BYTES

# What may cross: token ids, scores, rows. Anything else (float16, object) breaks the contract.
DTYPES = ("int64", "float32", "float64", "bool")


class Slab:
    """Shared memory that one side writes and the other reads."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, SLAB_BYTES)

    @classmethod
    def create(cls) -> "Slab":
        """A fresh, anonymous slab; pages cost nothing until they are written."""
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("slab", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            os.ftruncate(descriptor, SLAB_BYTES)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
            return cls(descriptor)
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
        os.ftruncate(descriptor, SLAB_BYTES)
        return cls(descriptor)

    def write(self, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, dict[str, Any]]:
        """Copies arrays in, side by side; returns what the message must say to find them again."""
        layout: dict[str, dict[str, Any]] = {}
        offset = 0
        for name, array in arrays.items():
            if offset + array.nbytes > SLAB_BYTES:
                raise ContractError(
                    f"array {name!r} of shape {array.shape} ends {offset + array.nbytes:,} bytes"
                    f" into a slab of {SLAB_BYTES:,}; send it in smaller pieces"
                )
            self._view(offset, array.dtype.name, array.shape)[...] = array
            layout[name] = {
                "dtype": array.dtype.name,
                "shape": list(array.shape),
                "offset": offset,
            }
            offset += -(-array.nbytes // 64) * 64  # keep every array on a cache line
        return layout

    def read(self, layout: dict[str, Any]) -> dict[str, npt.NDArray[Any]]:
        """Private copies of the arrays that a message describes; the description is not trusted."""
        return {name: self._checked(name, entry).copy() for name, entry in layout.items()}

    def close(self) -> None:
        """Unmaps and closes."""
        self._memory.close()
        os.close(self.descriptor)

    def _checked(self, name: str, entry: Any) -> npt.NDArray[Any]:
        try:
            dtype, shape, offset = str(entry["dtype"]), list(entry["shape"]), entry["offset"]
        except (KeyError, TypeError) as error:
            raise ContractError(f"array {name!r} is described as {entry!r}") from error
        if dtype not in DTYPES:
            raise ContractError(
                f"array {name!r} is {dtype}; the protocol carries {', '.join(DTYPES)}"
            )
        if any(type(n) is not int or n < 0 for n in [offset, *shape]):
            raise ContractError(f"array {name!r} is described as {entry!r}; no whole numbers")
        end = offset + math.prod(shape) * np.dtype(dtype).itemsize
        if end > SLAB_BYTES:
            raise ContractError(f"array {name!r} ({dtype} {shape} at {offset}) leaves the slab")
        try:
            return self._view(offset, dtype, shape)
        except ValueError as error:  # more dimensions, or a longer empty one, than numpy has
            raise ContractError(f"array {name!r} ({dtype} {shape}): {error}") from error

    def _view(self, offset: int, dtype: str, shape: Sequence[int]) -> npt.NDArray[Any]:
        return np.ndarray(tuple(shape), dtype=dtype, buffer=self._memory, offset=offset)
