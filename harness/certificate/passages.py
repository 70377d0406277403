"""Passages of the validation stream that stand in a training shard, too.

Text repeats itself. Where a script trains on a passage that both hold, the recorder sees positions
of the stream used, and nobody can say whose use it was. Asked only of positions that were used
early, so that shards of a hundred million tokens need one look and no index.

Guarantees: every position of an 8-gram that a shard holds is found. Does not cover: collisions of
64-bit hashes, which excuse a position at most.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from harness.arrays import Bools, Ints, Tokens
from harness.streams.alignment import K, grams

CHUNK = 1 << 22  # tokens of a shard that are looked at in one go
SIEVE_BITS = 22


def shared_positions(
    stream: Tokens,  # (T,)
    positions: Ints,  # (n,) sorted, that are asked about
    shards: Sequence[npt.NDArray[np.integer]],  # (N,) ids each; memory maps
) -> Bools:
    """(n,) the position lies in a passage that a shard holds."""
    starts = np.unique((positions[:, None] - np.arange(K)[None, :]).reshape(-1))
    starts = starts[(starts >= 0) & (starts <= len(stream) - K)]
    if not len(starts):
        return np.zeros(len(positions), bool)
    rows = stream[starts[:, None] + np.arange(K)].astype(np.int64)
    wanted = grams(rows.reshape(-1))[::K]
    found = np.zeros(len(wanted), bool)
    order = np.argsort(wanted)
    ordered = wanted[order]
    sieve = np.zeros(1 << SIEVE_BITS, bool)
    sieve[_sieved(wanted)] = True
    for hashes in _of_shards(shards):
        hashes = np.unique(hashes[sieve[_sieved(hashes)]])
        found[order[np.isin(ordered, hashes)]] = True
    near = np.zeros(len(stream) + K, bool)
    for i in range(K):
        near[starts[found] + i] = True
    return near[positions]


def _of_shards(shards: Sequence[npt.NDArray[np.integer]]) -> Iterator[npt.NDArray[np.uint64]]:
    for shard in shards:
        for start in range(0, len(shard), CHUNK):
            yield grams(np.asarray(shard[start : start + CHUNK + K - 1], np.int64))


def _sieved(hashes: npt.NDArray[np.uint64]) -> Ints:
    return (hashes >> np.uint64(64 - SIEVE_BITS)).astype(np.int64)
