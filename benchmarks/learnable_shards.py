"""Synthetic training shards that a model can learn, for benchmarks that may not have real text.

Documents of 1,024 tokens open with token 1. Each token after that is drawn by one of three laws, as
text has them: a third by Zipf's over the vocabulary, a third from sixteen successors of the token
before, a third from sixteen of the pair before, the likelier the earlier they stand in a fixed
random table. A model learns the first in a few steps, the second in tens, the third in hundreds:
losses fall at every step, as on text. (A law of pairs alone was tried: the loss rests on a plateau
for a hundred steps and leaves it at a moment that rounding decides.)

Guarantees: the same bytes for the same arguments. Does not cover: anything that looks like text.
"""

from pathlib import Path

import numpy as np

from reference_model.data.shards import write_shard

SEED = 549
DOCUMENT = 1_024  # tokens
N_CONTEXTS = 4_096  # rows of a table: pairs of tokens are hashed to them
N_SUCCESSORS = 16
N_SHARDS = 2
BOS = 1


def write_shards(
    folder: Path,
    n_tokens: int,  # of one shard, cut down to whole documents
    vocab_size: int,
) -> list[Path]:
    """The training shards; a small validation shard is written beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    laws = Laws(rng, vocab_size)
    paths = [folder / f"fineweb_train_{n:06d}.bin" for n in range(N_SHARDS)]
    for path in paths:
        write_shard(path, _documents(rng, laws, max(1, n_tokens // DOCUMENT)).ravel())
    write_shard(folder / "fineweb_val_000000.bin", _documents(rng, laws, 8).ravel())
    return paths


class Laws:
    """What may follow, the likeliest first; ranks are drawn by Zipf's law in all three."""

    def __init__(self, rng: np.random.Generator, vocab_size: int) -> None:
        self.words = rng.permutation(np.arange(2, vocab_size, dtype=np.uint16))
        self._bounds = {n: _zipf_bounds(n) for n in (len(self.words), N_SUCCESSORS)}
        draws = rng.random((2, N_CONTEXTS, N_SUCCESSORS), dtype=np.float32)
        self.after_one, self.after_two = self.words[self._rank(draws, len(self.words))]

    def next(
        self,
        rng: np.random.Generator,
        one: np.ndarray,  # (N,) int64, the tokens before
        two: np.ndarray,  # (N,) int64, those before them
    ) -> np.ndarray:  # (N,) uint16
        which, draw = rng.integers(0, 3, len(one)), rng.random(len(one), dtype=np.float32)
        rank = self._rank(draw, N_SUCCESSORS)
        pair = (31 * one + 1_009 * two) % N_CONTEXTS
        word = self.words[self._rank(draw, len(self.words))]
        after_one = self.after_one[one % N_CONTEXTS, rank]
        return np.choose(which, [word, after_one, self.after_two[pair, rank]])

    def _rank(self, draw: np.ndarray, n: int) -> np.ndarray:
        return np.minimum(np.searchsorted(self._bounds[n], draw), n - 1)


def _zipf_bounds(n: int) -> np.ndarray:
    weights = 1.0 / np.arange(1, n + 1)
    return np.cumsum(weights / weights.sum()).astype(np.float32)


def _documents(rng: np.random.Generator, laws: Laws, n: int) -> np.ndarray:
    """(n, DOCUMENT) uint16."""
    tokens = np.full((DOCUMENT, n), BOS, dtype=np.uint16)
    for t in range(1, DOCUMENT):
        tokens[t] = laws.next(rng, tokens[t - 1].astype(np.int64), tokens[t - 2].astype(np.int64))
    return np.ascontiguousarray(tokens.T)
