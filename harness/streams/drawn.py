"""A stream of known source: documents of several distributions on a published schedule.

    SourceStream  tokens, ln q of each, which were drawn, and by which distribution

Guarantees: q(boundary) = 1 where the schedule puts one, so skipping boundaries or knowing lengths
in advance saves nothing; the last token is scheduled too, the highest ordinary id, because some
scripts take the vocabulary's size from the highest id that they see; documents are independent,
restart their distribution and never share a draw. A training shard is the same call with another
`split`: same distributions, own seed, nothing shared.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.arrays import Bools, Nats, Tokens
from harness.errors import HarnessError
from harness.streams.distributions import Distribution
from harness.streams.stream import Stream

SHORTEST = 32  # tokens of the shortest document: 165 real scripts assert that one has two


@dataclass(frozen=True)
class Schedule:
    """Where documents begin, how long they are and which distribution each follows. Public."""

    lengths: Tokens  # (D,) tokens per document, its boundary included
    distribution: Tokens  # (D,) index into the distributions

    @property
    def starts(self) -> Tokens:
        """(D,) position of each document's boundary."""
        return np.cumsum(self.lengths) - self.lengths


@dataclass(frozen=True, eq=False)
class SourceStream(Stream):
    """Drawn tokens and the distribution that they were drawn from."""

    log_q: Nats  # (T,) nats: ln of the conditional probability of each token; 0 where scheduled
    drawn: Bools  # (T,) drawn, not scheduled
    distribution_of: npt.NDArray[np.int8]  # (T,) index into `distributions`
    distributions: tuple[str, ...]  # names
    seed: int
    ordinary: Tokens  # (n,) ids that q runs over
    row_tokens: int = 0  # of every document, where a script reads rows of one length; else 0

    @property
    def targets(self) -> Tokens:
        """(k,) positions that an honest score covers: not the token that opens a row."""
        every = np.arange(1, len(self.tokens))
        return np.setdiff1d(every, self.starts) if self.row_tokens else every


def schedule(
    n_tokens: int,
    shares: Sequence[float],  # of the documents, per distribution; scaled to one
    mean_length: int,  # tokens per document
    seed: int,
    split: int = 0,
) -> Schedule:
    """Lengths from half to twice the mean, and distributions in turn, as their shares say."""
    rng = np.random.default_rng([seed, split, 0x5C4ED])
    lengths: list[int] = []
    left = n_tokens
    while left > 0:
        n = max(SHORTEST, round(mean_length * 2.0 ** rng.uniform(-1, 1) / 1.08))  # 1.08: its mean
        n = left if left - n < SHORTEST else n
        lengths.append(n)
        left -= n
    return Schedule(np.array(lengths, np.int64), _in_turn(lengths, shares))


def rows_of(n_tokens: int, row_tokens: int, shares: Sequence[float]) -> Schedule:
    """Documents of one length, which packing into rows of that length leaves in their order."""
    if n_tokens % row_tokens:
        raise HarnessError(f"{n_tokens} tokens are no rows of {row_tokens}")
    lengths = [row_tokens] * (n_tokens // row_tokens)
    return Schedule(np.array(lengths, np.int64), _in_turn(lengths, shares))


def _in_turn(lengths: list[int], shares: Sequence[float]) -> Tokens:
    """Each document goes to the distribution that is furthest behind its share of the tokens."""
    target = np.array(shares, float) / sum(shares)
    given = np.zeros(len(target))
    distribution = np.empty(len(lengths), np.int64)
    for d, n in enumerate(lengths):
        distribution[d] = np.argmax(target * (given.sum() + n) - given)
        given[distribution[d]] += n
    return distribution


def draw(
    distributions: Sequence[Distribution],
    plan: Schedule,
    ordinary: Tokens,  # (n,) all ids that text is made of
    boundary: int,  # opens each document, and no text holds it
    seed: int,
    split: int = 0,  # 0 validation, 1, 2, ... training shards
) -> SourceStream:
    """Draws every document by its distribution."""
    ordinary = np.unique(ordinary)
    if boundary in ordinary:
        raise HarnessError(f"the boundary {boundary} is among the ordinary ids")
    tokens = np.full(int(plan.lengths.sum()), boundary, np.int64)
    log_q = np.zeros(len(tokens))
    for k, distribution in enumerate(distributions):
        mine = np.flatnonzero(plan.distribution == k)
        rng = np.random.default_rng([seed, split, k, 0xD4A3])
        bodies = distribution.documents(plan.lengths[mine] - 1, ordinary, boundary, rng)
        for start, (body, nats) in zip(plan.starts[mine], bodies, strict=True):
            tokens[start + 1 : start + 1 + len(body)] = body
            log_q[start + 1 : start + 1 + len(body)] = nats
    drawn = np.ones(len(tokens), bool)
    drawn[plan.starts] = False
    tokens[-1], log_q[-1], drawn[-1] = ordinary[-1], 0.0, False
    return SourceStream(
        tokens,
        plan.starts,
        log_q,
        drawn,
        np.repeat(plan.distribution, plan.lengths).astype(np.int8),
        tuple(distribution.name for distribution in distributions),
        seed,
        ordinary,
    )
