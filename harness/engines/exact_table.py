"""Gives keys the numbers 1, 2, 3, ... as they come, many keys at a time.

Open addressing on numpy arrays: `_slots` holds numbers, `_keys` the keys by number, and a slot is
taken for a key only after the key itself was compared. Guarantees: two keys never share a number,
whatever their hashes; numbers never change; 8 bytes a key and 8 to 16 for its slots. Not covered:
taking a key out again.
"""

from itertools import count
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]  # numbers of keys; 0 stands for no key
Keys = npt.NDArray[np.int64]  # (n,) not negative

NO_KEY = -1  # what number 0 holds, so that an empty slot equals no key
MAX_LOAD = 0.5  # of the slots; a missing key then takes 2.5 looks on average (Knuth 6.4)
FIRST_SLOTS = 1 << 12
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: Fibonacci hashing, Knuth 6.4
REHASH_BLOCK = 1 << 18  # keys re-entered at a time, which bounds the temporary arrays

A = TypeVar("A", bound=npt.NDArray[np.generic])


def room_for(column: A, n: int) -> A:
    """The column with at least n entries, new ones zero; grows in place by a quarter."""
    if len(column) < n:
        column.resize(max(n, len(column) * 5 // 4), refcheck=False)
    return column


class ExactTable:
    """Keys to numbers."""

    def __init__(self) -> None:
        self.n = 1  # numbers given out, number 0 among them
        self._keys: Keys = np.full(FIRST_SLOTS, NO_KEY, np.int64)
        self._slots: npt.NDArray[np.int32] = np.zeros(FIRST_SLOTS, np.int32)

    @property
    def n_bytes(self) -> int:
        """Bytes of the arrays."""
        return self._keys.nbytes + self._slots.nbytes

    def key(self, ids: Ids) -> Keys:
        """The keys that were given these numbers."""
        return self._keys[ids]

    def find(self, keys: Keys) -> Ids:
        """(n,) the numbers of keys, 0 where a key was never entered."""
        slots = self._home(keys)
        ids = self._slots[slots].astype(np.int64)
        open_ = np.flatnonzero((self._keys[ids] != keys) & (ids != 0))
        slots, step = slots[open_], 1
        while len(open_):
            slots = (slots + step) & (len(self._slots) - 1)
            found = self._slots[slots].astype(np.int64)
            ids[open_] = found
            other = (self._keys[found] != keys[open_]) & (found != 0)
            open_, slots, step = open_[other], slots[other], step + 1
        return ids

    def enter(self, keys: Keys) -> Ids:
        """(n,) the numbers of keys; those not met before get the next ones."""
        ids = self.find(keys)
        missing = np.flatnonzero(ids == 0)
        if len(missing):
            self._reserve(len(missing))
            ids[missing] = self._add(keys[missing])
        return ids

    def _home(self, keys: Keys) -> Ids:
        """The slot at which the search for a key begins; round r goes on by r slots more."""
        shift = np.uint64(64 - (len(self._slots).bit_length() - 1))
        return ((keys.view(np.uint64) * GOLDEN) >> shift).view(np.int64)

    def _add(self, keys: Keys) -> Ids:
        """Numbers for keys that are not in the table; equal ones among them share theirs.

        Each writes its mark into its free slot; the mark that stays owns it, and whoever holds the
        same key reads the owner's number there.
        """
        ids = np.zeros(len(keys), np.int64)
        open_, slots = np.arange(len(keys)), self._home(keys)
        for step in count(1):
            free = np.flatnonzero(self._slots[slots] == 0)
            self._slots[slots[free]] = free + 1
            owners = free[self._slots[slots[free]] == free + 1]
            self._slots[slots[owners]] = self._number(keys[open_[owners]])
            found = self._slots[slots].astype(np.int64)
            other = self._keys[found] != keys[open_]
            ids[open_] = found
            open_, slots = open_[other], (slots[other] + step) & (len(self._slots) - 1)
            if not len(open_):
                return ids
        raise AssertionError("count() has no end")

    def _number(self, keys: Keys) -> Ids:
        """The next numbers, given to distinct keys."""
        ids = np.arange(self.n, self.n + len(keys))
        self._keys = room_for(self._keys, self.n + len(keys))
        self._keys[ids] = keys
        self.n += len(keys)
        return ids

    def _reserve(self, n_more: int) -> None:
        """Slots for so many more keys; where there are too few, every key moves."""
        size = len(self._slots)
        while self.n + n_more > MAX_LOAD * size:
            size *= 2
        if size > len(self._slots):
            self._slots = np.zeros(size, np.int32)
            for first in range(1, self.n, REHASH_BLOCK):
                self._settle(np.arange(first, min(first + REHASH_BLOCK, self.n)))

    def _settle(self, ids: Ids) -> None:
        """Puts known keys into the slots anew."""
        slots, step = self._home(self._keys[ids]), 1
        while len(ids):
            free = self._slots[slots] == 0
            self._slots[slots[free]] = ids[free]
            other = self._slots[slots] != ids
            ids, slots = ids[other], (slots[other] + step) & (len(self._slots) - 1)
            step += 1
