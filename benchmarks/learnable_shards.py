"""Synthetic training shards that a model can learn, for benchmarks that may not have real text.

Documents of 1,024 tokens open with token 1; after that each token follows from the two before it:
one of sixteen successors, the likelier the earlier it stands in a fixed random table. A model that
learned the table pays 2.4 nats a token; one that knows nothing, ln V. So losses fall for long, as
on text, and two implementations that differ part visibly.

Guarantees: the same bytes for the same arguments. Does not cover: anything that looks like text.
"""

from pathlib import Path

import numpy as np

from reference_model.data.shards import write_shard

SEED = 549
DOCUMENT = 1_024  # tokens
N_CONTEXTS = 4_096  # rows of the table: pairs of tokens are hashed to them
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
    table = rng.integers(2, vocab_size, (N_CONTEXTS, N_SUCCESSORS), dtype=np.uint16)
    paths = [folder / f"fineweb_train_{n:06d}.bin" for n in range(N_SHARDS)]
    for path in paths:
        write_shard(path, _documents(rng, table, max(1, n_tokens // DOCUMENT)).ravel())
    write_shard(folder / "fineweb_val_000000.bin", _documents(rng, table, 8).ravel())
    return paths


def _documents(
    rng: np.random.Generator,
    table: np.ndarray,  # (N_CONTEXTS, N_SUCCESSORS) uint16
    n: int,
) -> np.ndarray:  # (n, DOCUMENT) uint16
    weights = 1.0 / np.arange(1, N_SUCCESSORS + 1)
    bounds = np.cumsum(weights / weights.sum())
    tokens = np.full((DOCUMENT, n), BOS, dtype=np.uint16)
    for t in range(1, DOCUMENT):
        before = tokens[t - 2].astype(np.int64) if t > 1 else 0
        context = (31 * tokens[t - 1].astype(np.int64) + 1_009 * before) % N_CONTEXTS
        choice = np.searchsorted(bounds, rng.random(n, dtype=np.float32))
        tokens[t] = table[context, np.minimum(choice, N_SUCCESSORS - 1)]
    return np.ascontiguousarray(tokens.T)
