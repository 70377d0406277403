"""Finds where token ids lie in the validation stream, element by element.

Every K-gram of the ids is looked up in an index of the stream's K-grams. A gram that occurs once
places its tokens; from there a place is continued forwards and backwards as long as the ids agree,
so that a repeated passage takes the place that its neighbours give it. What is neither unique nor
next to something unique stays -1: *unknown*, never a guess. Long arrays are sampled first, and
taken for foreign (a training shard) when no sample is found.
"""

import numpy as np
import numpy.typing as npt

from harness.arrays import Tokens

Positions = npt.NDArray[np.int32]

K = 8  # 8 uniform ids of 1,024 repeat with probability 2^-80
SAMPLED_FROM = 65_536  # ids; looking up that many grams takes 10 ms
SAMPLES = 512
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class Aligner:
    """All K-grams of one stream, sorted by hash."""

    def __init__(self, stream: Tokens) -> None:
        self.stream = np.ascontiguousarray(stream, dtype=np.int64)
        hashes = grams(self.stream)
        self._order = np.argsort(hashes, kind="stable").astype(np.int64)
        self._sorted = hashes[self._order]

    def positions(
        self,
        ids: npt.NDArray[np.integer],  # any shape, C order is reading order
    ) -> Positions | None:
        """Place of each id in the stream, -1 where unknown; None when nothing was found."""
        flat = np.asarray(ids).reshape(-1).astype(np.int64)
        if len(flat) < K or len(self.stream) < K:
            return None
        if self._is_the_stream(flat):
            return np.arange(len(flat), dtype=np.int32).reshape(ids.shape)
        if len(flat) > SAMPLED_FROM and not self._any_sample_fits(flat):
            return None
        places = self._unique_places(grams(flat))
        if not (places >= 0).any():
            return None
        placed = self._spread(flat, places)
        return placed.astype(np.int32).reshape(ids.shape)

    def _is_the_stream(self, flat: Tokens) -> bool:
        n = len(flat)
        long = n > len(self.stream) // 2  # a short prefix may also lie elsewhere
        return long and n <= len(self.stream) and np.array_equal(flat, self.stream[:n])

    def _any_sample_fits(self, flat: Tokens) -> bool:
        starts = np.linspace(0, len(flat) - K, SAMPLES).astype(np.int64)
        rows = flat[starts[:, None] + np.arange(K)]
        hashes = np.zeros(len(starts), np.uint64)
        for i in range(K):
            hashes = hashes * MULTIPLIER + _mixed(rows[:, i])
        return bool((self._unique_places(hashes) >= 0).any())

    def _unique_places(self, hashes: npt.NDArray[np.uint64]) -> Tokens:
        """(n,) start of the gram in the stream where it occurs exactly once, else -1."""
        low = np.searchsorted(self._sorted, hashes, side="left")
        inside = np.minimum(low, len(self._sorted) - 1)
        after = np.minimum(low + 1, len(self._sorted) - 1)
        found = self._sorted[inside] == hashes
        twice = (after > inside) & (self._sorted[after] == hashes)
        return np.where(found & ~twice, self._order[inside], -1)

    def _spread(
        self,
        flat: Tokens,  # (n,) ids
        places: Tokens,  # (n - K + 1,) starts of unique grams, else -1
    ) -> Tokens:
        """Continues each unique place over its own gram, then as far as the ids agree."""
        out = np.full(len(flat), -1, np.int64)
        grams = len(places)
        for i in range(K):
            window = out[i : i + grams]
            window[:] = np.where(places >= 0, places + i, window)
        out = _continued(self.stream, flat, out)
        last = len(self.stream) - 1  # and the same from right to left
        turned = np.where(out >= 0, last - out, -1)[::-1]
        filled = _continued(self.stream[::-1], flat[::-1], turned)[::-1]
        return np.where(filled >= 0, last - filled, -1)


def _continued(stream: Tokens, flat: Tokens, out: Tokens) -> Tokens:
    """Fills unknown places after a known one while the ids agree with the stream."""
    index = np.arange(len(flat))
    known = np.where(out >= 0, index, -1)
    source = np.maximum.accumulate(known)  # last known element at or before each
    guess = np.where(source >= 0, out[source] + index - source, -1)
    valid = (guess >= 0) & (guess < len(stream))
    agrees = valid & (stream[np.clip(guess, 0, len(stream) - 1)] == flat)
    broken = np.maximum.accumulate(np.where(agrees, -1, index))  # last disagreement
    return np.where((out < 0) & agrees & (broken < source), guess, out)


def grams(tokens: Tokens) -> npt.NDArray[np.uint64]:
    """(n - K + 1,) a hash of the K ids from each offset on."""
    grams = max(len(tokens) - K + 1, 0)
    mixed = _mixed(tokens)
    hashes = np.zeros(grams, np.uint64)
    for i in range(K):
        hashes = hashes * MULTIPLIER + mixed[i : i + grams]
    return hashes


def _mixed(tokens: Tokens) -> npt.NDArray[np.uint64]:
    """Spreads small ids over 64 bits (one round of splitmix64), so that sums do not collide."""
    z = tokens.astype(np.uint64) + MULTIPLIER
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    return np.asarray(z ^ (z >> np.uint64(27)))
