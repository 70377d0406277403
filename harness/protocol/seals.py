"""Sums of what is recorded, which leave the process at once; the rows follow in batches.

    recorder ── a sum a row or block of rows ──> supervisor, which appends     OUT/seals0
             ── rows, when a line is printed ──> files of the rank             OUT/rank0/*.arrow

What has left cannot be taken back: rows that are changed, left out or put in afterwards, in memory
or on disk, do not fit their sums. Both sides are here. Does not cover: a script that takes the
recorder over before it records, or feeds it: what is seen inside explains, it proves nothing.
"""

import contextlib
import os
import struct
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

RECORD = struct.Struct("<BQQ")  # what, how many rows it has, their sum


class Sealed(IntEnum):
    """What a record is about."""

    EVENTS = 0
    SCORES = 1
    USES = 2
    ROWS = 3
    ANSWERS = 4
    FLUSHED = 254  # everything before is on disk now
    CLOSED = 255  # and nothing comes any more


def sum_of_event(row: Iterable[object]) -> int:
    """Of one event's columns, as they read."""
    text = "\x1f".join(map(str, row))
    return xxhash.xxh3_64_intdigest(text.encode(errors="backslashreplace"))


def sum_of_answer(row: Sequence[Any]) -> int:
    """Of one answer to a re-query, whose last column holds rows of numbers."""
    *known, rows = row
    numbers = [[float(number) for number in one] for one in rows]
    return sum_of_event([*known, numbers])


def sum_of_block(columns: Iterable[npt.NDArray[np.generic]]) -> int:
    """Of rows of numbers, column by column."""
    digest = xxhash.xxh3_64()
    for column in columns:
        digest.update(np.ascontiguousarray(column).data)
    return digest.intdigest()


class Seals:
    """The side of the recorder."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._process = descriptor, os.getpid()
        self.lock = threading.RLock()  # rows and their sums have one order

    def add(self, what: Sealed, n_rows: int = 0, digest: int = 0) -> None:
        """On its way before this returns. A forked child is silent."""
        if os.getpid() == self._process:
            with contextlib.suppress(OSError):  # the script closed it: what is missing will show
                os.write(self._descriptor, RECORD.pack(what, n_rows, digest))


@dataclass
class Received:
    """The side of the reader: everything that came of one rank."""

    blocks: dict[Sealed, list[tuple[int, int]]] = field(default_factory=dict)  # (rows, sum)
    on_disk: dict[Sealed, int] = field(default_factory=dict)  # rows that have to be there
    closed: bool = False
    whole: bool = True  # nothing but records came

    @classmethod
    def of(cls, content: bytes) -> "Received":
        """What came."""
        found = cls(whole=len(content) % RECORD.size == 0)
        known = {int(one) for one in Sealed}
        rows = dict.fromkeys(Sealed, 0)
        for number, n_rows, digest in _records(content):
            if number not in known or found.closed:
                found.whole = False
                break
            what = Sealed(number)
            if what in (Sealed.FLUSHED, Sealed.CLOSED):
                found.on_disk, found.closed = dict(rows), what is Sealed.CLOSED
                continue
            rows[what] += n_rows
            found.blocks.setdefault(what, []).append((n_rows, digest))
        return found

    def following(self, what: Sealed) -> "Following":
        """For a stream that is read batch by batch."""
        return Following(what, deque(self.blocks.get(what, ())), self.on_disk.get(what, 0))

    def misfit(self, what: Sealed, columns: Sequence[npt.NDArray[np.generic]]) -> str:
        """What is wrong with a stream as it was found; empty where it fits."""
        count, at = len(columns[0]) if columns else 0, 0
        if count < self.on_disk.get(what, 0):
            return f"{self.on_disk[what] - count:,} rows are gone"
        for n_rows, digest in self.blocks.get(what, ()):
            block = [column[at : at + n_rows] for column in columns]
            if at + n_rows > count:
                break  # it ended before they were written
            if digest != _sum(what, block):
                return f"rows {at:,} to {at + n_rows:,} are not those that were recorded"
            at += n_rows
        return f"{count - at:,} rows were put in" if at < count else ""


@dataclass
class Following:
    """Batches of one stream, held against their sums in the order in which they were written; a
    block of rows that left as one is in one batch.
    """

    what: Sealed
    blocks: deque[tuple[int, int]]  # (rows, sum) that are still to come
    on_disk: int  # rows that have to be there
    count: int = 0  # rows that were

    def misfit(self, columns: Sequence[npt.NDArray[np.generic]]) -> str:
        """What is wrong with the next batch; empty where it fits."""
        count, at = len(columns[0]), 0
        while at < count:
            if not self.blocks:
                return f"{count - at:,} rows were put in"
            n_rows, digest = self.blocks.popleft()
            if at + n_rows > count or digest != _sum(
                self.what, [column[at : at + n_rows] for column in columns]
            ):
                first = self.count + at
                return f"rows {first:,} to {first + n_rows:,} are not those that were recorded"
            at += n_rows
        self.count += count
        return ""

    def missing(self) -> str:
        """What is gone at the end of the stream; empty where nothing is."""
        return f"{self.on_disk - self.count:,} rows are gone" if self.count < self.on_disk else ""


def _records(content: bytes) -> Iterator[tuple[int, int, int]]:
    whole = len(content) // RECORD.size * RECORD.size
    yield from RECORD.iter_unpack(content[:whole])


def _sum(what: Sealed, block: Sequence[npt.NDArray[np.generic]]) -> int:
    if what is Sealed.EVENTS:
        return sum_of_event(column[0] for column in block)
    if what is Sealed.ANSWERS:
        return sum_of_answer([column[0] for column in block])
    if what is Sealed.ROWS:  # one row, whose last column holds the distribution
        return sum_of_block([*block[:-1], block[-1][0]])
    return sum_of_block(block)
