"""The streams of a battery: what differs from the base run's, and nothing else does."""

from dataclasses import replace

import numpy as np

from harness.arrays import Tokens
from harness.checks.future import Cut
from harness.streams.controls import adaptation_control
from harness.streams.drawn import LawStream
from harness.streams.perturb import redraw


def changed(law: LawStream, positions: Tokens, seed: int) -> LawStream:
    """Other tokens at the positions."""
    return replace(law, tokens=redraw(law, positions, seed))


def first_tokens(cut: Cut) -> Tokens:
    """(k,) the earlier half of what was scored before the cut."""
    return np.sort(cut.compared)[: len(cut.compared) // 2]


def duplicated_chunks(law: LawStream, chunk_tokens: int, seed: int) -> LawStream:
    """Chunks, each with its copy; as long as `law`, so that the same configuration fits."""
    pairs = max(1, len(law.tokens) // (2 * chunk_tokens) // 4)
    bos = int(law.tokens[law.starts[0]])
    stream = adaptation_control(len(law.tokens), chunk_tokens, pairs, law.ordinary, bos, seed)
    return _padded(stream, len(law.tokens))


def _padded(stream: LawStream, n_tokens: int) -> LawStream:
    """Uniform tokens behind the last document, marked as not drawn."""
    left = n_tokens - len(stream.tokens)
    rng = np.random.default_rng([stream.seed, 0x7A11])
    tail = rng.choice(stream.ordinary, size=left)
    tail[-1:] = stream.ordinary[-1]  # as every stream ends
    return replace(
        stream,
        tokens=np.concatenate([stream.tokens, tail]),
        log_q=np.concatenate([stream.log_q, np.full(left, -np.log(len(stream.ordinary)))]),
        drawn=np.concatenate([stream.drawn, np.zeros(left, bool)]),
        law_of=np.concatenate([stream.law_of, np.zeros(left, np.int8)]),
    )
