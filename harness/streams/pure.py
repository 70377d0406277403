"""Uniform ids alone, in documents of one length: where an honest small model wastes little.

On mixed sources a small model loses thousands of nats, behind which a theft hides; on uniform ids
it has nothing to learn. The training shard is drawn alike and shares nothing with the stream.

Guarantees: documents have one length, so that every part of the stream holds as many boundaries as
any other, but for one: subsets that were chosen without looking cost the same a token. Does not
cover: code that waits for repeats or for language; the mixed stream is for that.
"""

from dataclasses import dataclass, replace

import numpy as np

from harness.arrays import Tokens
from harness.streams.distributions import Distribution, Uniform
from harness.streams.drawn import Schedule, SourceStream, draw, rows_of

DOCUMENT_TOKENS = 512  # the boundary included; eight documents cost a model some 55 nats
TIMES = 2  # as long as the stream of the base run: these runs cost seconds


def is_pure(stream: SourceStream) -> bool:
    """Whether all that was drawn is uniform already."""
    drawn = np.unique(stream.distribution_of[stream.drawn])
    return all(stream.distributions[k] == Uniform().name for k in drawn)


@dataclass(frozen=True, eq=False)
class PureStream:
    """What a run on one law reads."""

    stream: SourceStream
    shard: Tokens  # (n,) to train on, drawn alike


def pure_stream(
    like: SourceStream,  # `TIMES` as long as this one
    seed: int,
    train_tokens: int,
    ids: Tokens | None = None,  # (K,) that are drawn; None: every ordinary one
) -> PureStream:
    """One draw of both."""
    law, n_tokens = Uniform(ids=ids), (len(like.tokens) - 1) * TIMES + 1
    if like.row_tokens:
        n_tokens = len(like.tokens)  # a script that reads rows is told how many it scores
    stream = drawn_alone(law, like, n_tokens, seed)
    return PureStream(stream, drawn_alone(law, like, train_tokens, seed, split=1).tokens)


def drawn_alone(
    law: Distribution, like: SourceStream, n_tokens: int, seed: int, split: int = 0
) -> SourceStream:
    """Of one law, in documents of one length, or in rows as `like`."""
    boundary = int(like.tokens[like.starts[0]])
    if like.row_tokens:
        plan = rows_of(n_tokens, like.row_tokens, (1,))
        stream = draw([law], plan, like.ordinary, boundary, seed, split)
        return replace(stream, row_tokens=like.row_tokens)
    whole = max(1, round(n_tokens / DOCUMENT_TOKENS))
    lengths = np.full(whole, DOCUMENT_TOKENS, np.int64)
    lengths[-1] += n_tokens - lengths.sum()
    plan = Schedule(lengths, np.zeros(whole, np.int64))
    return draw([law], plan, like.ordinary, boundary, seed, split)
