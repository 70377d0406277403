"""Finds where a row of token ids lies in the stream that the program was given.

A row is located by its first K tokens in an index of all K-grams, then compared in full. A row that
fits several places (repeated text) takes the one that continues its hint, else it stays unlocated:
an ambiguous position is *unknown*, never a guess.
"""

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int64]

K = 8  # shortest row that is looked up; 8 uniform ids of 1,024 repeat with probability 2^-80


class StreamIndex:
    """All K-grams of a stream, sorted by hash."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        grams = max(len(tokens) - K + 1, 0)
        hashes = np.zeros(grams, np.uint64)
        for i in range(K):
            hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + _mixed(tokens[i : i + grams])
        self._order = np.argsort(hashes, kind="stable")
        self._sorted = hashes[self._order]

    def locate(
        self,
        row: Tokens,  # (n,) ids
        within: set[int] | None = None,  # positions the row is known to come from
    ) -> int | None:
        """First position of the row in the stream; None if it fits nowhere, or not uniquely."""
        if len(row) < K or len(row) > len(self._tokens):
            return None
        gram = np.uint64(0)
        with np.errstate(over="ignore"):
            for token in row[:K]:
                gram = gram * np.uint64(0x9E3779B97F4A7C15) + _mixed(np.array([token]))[0]
        lo, hi = np.searchsorted(self._sorted, [gram, gram + np.uint64(1)])
        fits = [int(p) for p in self._order[lo:hi] if self._matches(int(p), row)]
        if within is not None and len(fits) > 1:
            fits = [p for p in fits if p in within]
        return fits[0] if len(fits) == 1 else None

    def _matches(self, start: int, row: Tokens) -> bool:
        return bool(np.array_equal(self._tokens[start : start + len(row)], row))


def _mixed(tokens: Tokens) -> npt.NDArray[np.uint64]:
    """Spreads small ids over 64 bits (one round of splitmix64), so that sums of them do not
    collide.
    """
    z = tokens.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    return np.asarray(z ^ (z >> np.uint64(27)))
