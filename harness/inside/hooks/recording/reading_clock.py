"""Which token of the stream a script read last: the clock by which plain numbers get a place.

A number of Python carries nothing. But a script that computes a token's score looks at the token,
so the score that it keeps next is of the latest place (the highest, of those read since). Arrays
and lists of ids are found by their content, once, and their slices by their keys. Lists of
numbers that were kept for the tokens read last have the places of those.

Guarantees: a place is never earlier than any token that was read for it. Does not cover: tokens
that are read without an index or a loop (`next(iterator)`, C code).
"""

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from harness.inside.hooks.recording.identity_map import WeakIdentityMap, identity
from harness.inside.hooks.recording.position_maps import Positions
from harness.streams.alignment import K

MOST_LISTS = 64  # that are known at a time; each is held
MOST_READS = 1 << 20  # kept; older ones are forgotten all at once
BLOCKS = 8  # latest slices of ids
FEWEST = 16  # ids of such a slice
MOST_NUMBERS = 1 << 16  # whose places are known at a time; each is held
TRIES = 3  # lengths at which a growing list is looked up
FOREIGN: Positions = np.empty(0, np.int32)

Align = Callable[[Any], Positions | None]


class _KnownList:
    """A list, and where its elements stand."""

    __slots__ = ("length", "places", "tries", "values")

    def __init__(self, values: list[Any], places: list[int] | None) -> None:
        self.values, self.places, self.length, self.tries = values, places, len(values), 1


class _KnownNumber(NamedTuple):
    """A number that a line kept first for a place."""

    value: Any  # held, so that no other one gets its identity
    place: int
    keeper: object  # the line


class ReadingClock:
    """The places that were read, in order."""

    def __init__(self, align: Align) -> None:
        self._align = align
        self.read: list[int] = []
        self.forgotten = 0  # how often all of it was dropped
        self.begun_at = 0  # reads until a list of numbers whose places are known was gone through,
        self.kept_at = 0  # until the last number that was kept,
        self._block_at = 0  # and until the last block
        self.blocks: deque[Positions] = deque(maxlen=BLOCKS)
        self._arrays: WeakIdentityMap[Positions] = WeakIdentityMap()
        self._lists: dict[int, _KnownList] = {}
        self._numbers: dict[int, _KnownNumber] = {}

    def touch(self, place: int) -> None:
        """A token was read."""
        if place >= 0:
            self.read.append(place)
            if len(self.read) > MOST_READS:
                self.read.clear()
                self.begun_at = 0
                self.forgotten += 1

    def block_read(self, places: Positions) -> None:
        """Many tokens were read at once."""
        if places.size >= FEWEST:
            self.blocks.append(places)
            self._block_at = len(self.read)

    def fits(self, size: int) -> bool:
        """Whether `block_of` would find one: most arrays of a model have other sizes."""
        return any(block.size == size for block in self.blocks)

    def block_of(self, size: int) -> Positions | None:
        """The slice of so many ids that was read lately and reaches furthest: targets, as the
        contexts of the same size end a token before.
        """
        fitting = [block for block in self.blocks if block.size == size]
        return max(fitting, key=lambda block: int(block.max()), default=None)

    def latest_block(self, size: int) -> Positions | None:
        """The same, where since then nothing behind it was read, and no number was kept, nor a part
        of it read: a script that goes from token to token goes through vectors of any length.
        """
        part = 0 < len(self.read) - self._block_at < size
        block = None if part or self.kept_at > self._block_at else self.block_of(size)
        if block is None or max(self.read[-BLOCKS:], default=0) > int(block.max()):
            return None
        return block

    # -- numbers --------------------------------------------------------------------------------

    def number_kept(self, value: Any, place: int, keeper: object) -> None:
        """By a line, for a place. What one line keeps twice is held by the script, for any."""
        known = self._numbers.get(identity(value))
        if known is not None and known.keeper is not keeper:
            return
        self._numbers[identity(value)] = _KnownNumber(value, place if known is None else -1, keeper)
        if len(self._numbers) > MOST_NUMBERS:
            del self._numbers[next(iter(self._numbers))]

    def places_of(self, values: list[Any]) -> list[int] | None:
        """Of a list of numbers that were kept one after the other, up to the token read last: what
        a script looks up again may be of an earlier one.
        """
        first, last = (self._numbers.get(identity(values[end])) for end in (0, -1))
        if first is None or last is None or last.place != first.place + len(values) - 1:
            return None
        if first.place < 0 or last.place < max(self.read[-BLOCKS:], default=0):
            return None
        known = [self._numbers.get(identity(value)) for value in values]
        wanted = range(first.place, last.place + 1)
        alike = all(k is not None and k.place == w for k, w in zip(known, wanted, strict=True))
        return list(wanted) if alike else None

    # -- arrays ---------------------------------------------------------------------------------

    def places(self, array: Any) -> Positions:
        """Of an integer array's elements; empty where it is not of this stream."""
        found = self._arrays.find(array)
        if found is None:
            found = self._align(array) if array.size >= K else None
            found = FOREIGN if found is None else found
            self._arrays.put(array, found)
        return found

    def sliced(self, array: Any, key: Any, part: Any) -> None:
        """`part` is `array[key]`."""
        known = self.places(array)
        if known.size:
            places = known[key]
            self._arrays.put(part, places)
            self.block_read(places)

    # -- lists ----------------------------------------------------------------------------------

    def places_in(self, values: list[Any]) -> list[int] | None:
        """Of a list's elements; None where it is not of this stream."""
        known = self._lists.get(identity(values))
        if known is None:
            return self._learn(values, self._found(values))
        if known.length != len(values) and known.tries < TRIES:
            known.tries, known.length = known.tries + 1, len(values)
            known.places = self._found(values)
        return known.places if known.length == len(values) else None

    def list_of(self, values: list[Any], places: Any) -> None:
        """A list whose elements' places are known."""
        self._learn(values, places)

    def _learn(self, values: list[Any], places: list[int] | None) -> list[int] | None:
        if len(self._lists) >= MOST_LISTS:
            foreign = [key for key, known in self._lists.items() if known.places is None]
            for key in foreign or list(self._lists)[: MOST_LISTS // 2]:
                del self._lists[key]
        self._lists[identity(values)] = _KnownList(values, places)
        return places

    def _found(self, values: list[Any]) -> list[int] | None:
        if len(values) < K or type(values[0]) is not int or type(values[-1]) is not int:
            return None
        try:
            array = np.array(values, np.int64)
        except (ValueError, TypeError, OverflowError):
            return None
        places = self._align(array) if array.ndim == 1 else None
        return None if places is None else places.tolist()
