"""The streams of a battery: what differs from the base run's, and nothing else does."""

from dataclasses import replace

import numpy as np

from harness.arrays import Tokens
from harness.checks.cut import Cut
from harness.streams.controls import adaptation_control
from harness.streams.drawn import SourceStream
from harness.streams.perturb import redraw, redraw_alike
from harness.trace.scored_positions import ScoredPass, per_position


def changed(stream: SourceStream, positions: Tokens, seed: int) -> SourceStream:
    """Other tokens at the positions."""
    return replace(stream, tokens=redraw(stream, positions, seed))


def only_few(stream: SourceStream, positions: Tokens, ids: Tokens, seed: int) -> SourceStream:
    """At the positions that were drawn, tokens of a few ids alone."""
    rng, places = np.random.default_rng([seed, 0xFE3]), positions[stream.drawn[positions]]
    tokens = stream.tokens.copy()
    tokens[places] = rng.choice(ids, size=len(places))
    return replace(stream, tokens=tokens)


def by_score(stream: SourceStream, scored: ScoredPass) -> Tokens:
    """(k,) the ordinary ids that were scored, those first that cost least."""
    view = per_position(scored)
    ids, row = np.unique(stream.tokens[view.position], return_inverse=True)
    mean = np.bincount(row, view.nats) / np.bincount(row)
    ordered = ids[np.argsort(mean, kind="stable")]
    return ordered[np.isin(ordered, stream.ordinary)]


def exchanged(
    stream: SourceStream,
    positions: Tokens,
    kinds: Tokens,  # (V,) of each id: alike where they count as many bytes behind any other
    seed: int,
) -> SourceStream:
    """Other tokens of as many bytes at the positions, where there are any."""
    return replace(stream, tokens=redraw_alike(stream, positions, kinds, seed))


def first_tokens(cut: Cut) -> Tokens:
    """(k,) the earlier half of what was scored before the cut."""
    return np.sort(cut.compared)[: len(cut.compared) // 2]


def duplicated_chunks(stream: SourceStream, chunk_tokens: int, seed: int) -> SourceStream:
    """Chunks, each with its copy; as long as `stream`, so that the same configuration fits."""
    pairs = max(1, len(stream.tokens) // (2 * chunk_tokens) // 4)
    n_tokens, boundary = len(stream.tokens), int(stream.tokens[stream.starts[0]])
    copies = adaptation_control(n_tokens, chunk_tokens, pairs, stream.ordinary, boundary, seed)
    return _padded(copies, n_tokens)


def _padded(stream: SourceStream, n_tokens: int) -> SourceStream:
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
        distribution_of=np.concatenate([stream.distribution_of, np.zeros(left, np.int8)]),
    )
