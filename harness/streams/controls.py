"""Streams that show what a test could have seen on this very script: its power, by class.

    training     the validation documents, given as the training shards
    adaptation   each chunk followed by its own copy inside one document
    beginnings   the same, behind other beginnings of its documents

On the first two the source is what a script would face that had *not* seen the tokens before, so
that the arithmetic of the source test says by how much a score after training, or after adapting,
would have been refuted. Nothing here accuses anyone.
"""

from dataclasses import replace

import numpy as np

from harness.arrays import Tokens
from harness.errors import HarnessError
from harness.streams.drawn import SourceStream
from harness.streams.perturb import redraw


def training_control(
    validation: SourceStream,
    n_tokens: int,  # of the training shard
) -> Tokens:  # (n_tokens,) int64
    """The validation stream over and over."""
    return np.resize(validation.tokens, n_tokens)


def adaptation_control(
    n_tokens: int,  # length of the stream, at most; whole documents only
    chunk_tokens: int,  # at least the script's context, or attention alone may copy
    pairs: int,  # chunks, each with its copy, in a document
    ordinary: Tokens,
    boundary: int,
    seed: int,
) -> SourceStream:
    """Uniform chunks, each twice. `drawn` marks the copies alone: as if they were fresh."""
    length = 1 + 2 * pairs * chunk_tokens
    n_documents = n_tokens // length
    if not n_documents:
        raise HarnessError(f"{n_tokens} tokens do not hold a document of {length}")
    rng = np.random.default_rng([seed, 0xADA9])
    chunks = rng.choice(ordinary, size=(n_documents, pairs, 1, chunk_tokens))
    twice = np.repeat(chunks, 2, axis=2).reshape(n_documents, -1)
    tokens = np.column_stack([np.full(n_documents, boundary, np.int64), twice])
    copies = np.zeros((n_documents, pairs, 2, chunk_tokens), bool)
    copies[:, :, 1] = True
    drawn = np.column_stack([np.zeros(n_documents, bool), copies.reshape(n_documents, -1)])
    log_q = np.full(tokens.size, -np.log(len(ordinary)))
    starts = np.arange(n_documents) * length
    log_q[starts] = 0.0
    return SourceStream(
        tokens.reshape(-1).astype(np.int64),
        starts,
        log_q,
        drawn.reshape(-1),
        np.zeros(tokens.size, np.int8),
        ("each chunk twice",),
        seed,
        np.unique(ordinary),
    )


def other_beginnings(
    stream: SourceStream,
    chunk_tokens: int,  # at least the script's context
    seed: int,
) -> SourceStream:
    """The same stream but for the beginning of every document: further than a context behind it, a
    score moves by updates alone. Two chunks are left, or three quarters of a document. It is long
    enough for that, which those of a mixed stream are not: adapters that are thrown away with a
    document carry nothing out of it (#1626).
    """
    length = int(np.diff([*stream.starts, len(stream.tokens)])[0])
    beginning = np.arange(max(length // 4, length - 1 - 2 * chunk_tokens))
    places = (stream.starts[:, None] + 1 + beginning).reshape(-1)
    free = replace(stream, drawn=np.ones_like(stream.drawn))
    return replace(stream, tokens=redraw(free, places, seed))
