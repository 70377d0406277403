"""The planted twin of a hashed cache: what an unnormalised table of this load would have shown.

The usual two-table backoff of the field: counts of hashed contexts and of hashed (context, token)
pairs, score = quotient, longest context first, tables updated after the token was scored, mixed
with the uniform distribution. Its lie grows with its load (tokens a bucket): a small stream in four
million buckets shows nothing, so the tables of a script shrink with the stream, and this says
whether they did. Not covered: other hashes, mixing weights and orders; it is a ruler, not a model
of the script.
"""

import numpy as np

from harness.arrays import Floats, Tokens
from harness.streams.drawn import SourceStream

ORDERS = (5, 4, 3, 2)  # context lengths, longest first
FEWEST = 2  # of a context before it speaks: the field's usual min_count
WEIGHT = 0.5  # of the table in the mixture
MULTIPLIERS = (36313, 27191, 51647, 81929, 131071)  # the primes that real scripts hash with
MOST_TOKENS = 16_384


def planted_twin(
    stream: SourceStream,
    buckets: int,  # a power of two
) -> Floats:  # (T,) nats; 0 at position 0
    """Scores of the twin on the first MOST_TOKENS of a stream."""
    tokens = stream.tokens[:MOST_TOKENS]
    base = 1.0 / len(stream.ordinary)
    tables = [(_context_keys(tokens, n, buckets), np.zeros((2, buckets))) for n in ORDERS]
    nats = np.zeros(len(tokens))
    for t in range(1, len(tokens)):
        nats[t] = -np.log(_score(tables, tokens, t, base, buckets))
        for order, (keys, counts) in zip(ORDERS, tables, strict=True):
            if t >= order:
                counts[0, keys[t]] += 1
                counts[1, _pair(keys[t], tokens[t], buckets)] += 1
    return nats


def _context_keys(tokens: Tokens, order: int, buckets: int) -> Tokens:
    """(T,) hash of the `order` tokens before each position."""
    keys = np.zeros(len(tokens), np.int64)
    for back in range(1, order + 1):
        keys[back:] ^= tokens[:-back] * MULTIPLIERS[(back - 1) % len(MULTIPLIERS)]
    return np.asarray(keys & (buckets - 1))


def _pair(key: int, token: int, buckets: int) -> int:
    return int((int(key) ^ (int(token) * MULTIPLIERS[-1])) & (buckets - 1))


def _score(
    tables: list[tuple[Tokens, Floats]], tokens: Tokens, t: int, base: float, buckets: int
) -> float:
    """The longest context that was seen often enough speaks."""
    for order, (keys, counts) in zip(ORDERS, tables, strict=True):
        seen = counts[0, keys[t]]
        if t >= order and seen >= FEWEST:
            both = counts[1, _pair(keys[t], tokens[t], buckets)]
            return float((1 - WEIGHT) * base + WEIGHT * min(both, seen) / seen)
    return base
