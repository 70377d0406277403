"""A stream of known law: documents of several laws on a published schedule.

    LawStream  tokens, ln q of each, which were drawn, and by which law

Guarantees: q(boundary) = 1 where the schedule puts one, so skipping boundaries or knowing lengths
in advance saves nothing; the last token is scheduled too, the highest ordinary id, because some
scripts take the vocabulary's size from the highest id that they see; documents are independent,
restart their law and never share a draw. A training shard is the same call with another `split`:
same laws, own seed, nothing shared.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.arrays import Nats, Tokens
from harness.errors import HarnessError
from harness.streams.distributions import Law

SHORTEST = 32  # tokens of the shortest document: 165 real scripts assert that one has two


@dataclass(frozen=True)
class Schedule:
    """Where documents begin, how long they are and which law each follows. Public."""

    lengths: Tokens  # (D,) tokens per document, its boundary included
    law: Tokens  # (D,) index into the laws

    @property
    def starts(self) -> Tokens:
        """(D,) position of each document's boundary."""
        return np.cumsum(self.lengths) - self.lengths


@dataclass(frozen=True)
class LawStream:
    """Drawn tokens and the law that they were drawn from."""

    tokens: Tokens  # (T,) int64
    log_q: Nats  # (T,) nats: ln of the conditional probability of each token; 0 at boundaries
    drawn: npt.NDArray[np.bool_]  # (T,) drawn, not scheduled
    law_of: npt.NDArray[np.int8]  # (T,) index into `laws`
    laws: tuple[str, ...]  # names
    starts: Tokens  # (D,) positions of the boundaries
    seed: int
    ordinary: Tokens  # (n,) ids that q runs over

    @property
    def document(self) -> Tokens:
        """(T,) index of the document around each position."""
        return np.searchsorted(self.starts, np.arange(len(self.tokens)), side="right") - 1


def schedule(
    n_tokens: int,
    shares: Sequence[float],  # of the documents, per law; scaled to one
    mean_length: int,  # tokens per document
    seed: int,
    split: int = 0,
) -> Schedule:
    """Lengths from half to twice the mean, and laws in turn, as their shares say."""
    rng = np.random.default_rng([seed, split, 0x5C4ED])
    lengths: list[int] = []
    left = n_tokens
    while left > 0:
        n = max(SHORTEST, round(mean_length * 2.0 ** rng.uniform(-1, 1) / 1.08))  # 1.08: its mean
        n = left if left - n < SHORTEST else n
        lengths.append(n)
        left -= n
    return Schedule(np.array(lengths, np.int64), _laws_in_turn(lengths, shares))


def _laws_in_turn(lengths: list[int], shares: Sequence[float]) -> Tokens:
    """Each document goes to the law that is furthest behind its share of the tokens."""
    target = np.array(shares, float) / sum(shares)
    given = np.zeros(len(target))
    law = np.empty(len(lengths), np.int64)
    for d, n in enumerate(lengths):
        law[d] = np.argmax(target * (given.sum() + n) - given)
        given[law[d]] += n
    return law


def draw(
    laws: Sequence[Law],
    plan: Schedule,
    ordinary: Tokens,  # (n,) all ids that text is made of
    bos_id: int,
    seed: int,
    split: int = 0,  # 0 validation, 1, 2, ... training shards
) -> LawStream:
    """Draws every document by its law."""
    ordinary = np.unique(ordinary)
    if bos_id in ordinary:
        raise HarnessError(f"the boundary {bos_id} is among the ordinary ids")
    tokens = np.full(int(plan.lengths.sum()), bos_id, np.int64)
    log_q = np.zeros(len(tokens))
    for k, law in enumerate(laws):
        mine = np.flatnonzero(plan.law == k)
        rng = np.random.default_rng([seed, split, k, 0xD4A3])
        bodies = law.documents(plan.lengths[mine] - 1, ordinary, bos_id, rng)
        for start, (body, nats) in zip(plan.starts[mine], bodies, strict=True):
            tokens[start + 1 : start + 1 + len(body)] = body
            log_q[start + 1 : start + 1 + len(body)] = nats
    drawn = np.ones(len(tokens), bool)
    drawn[plan.starts] = False
    tokens[-1], log_q[-1], drawn[-1] = ordinary[-1], 0.0, False
    return LawStream(
        tokens,
        log_q,
        drawn,
        np.repeat(plan.law, plan.lengths).astype(np.int8),
        tuple(law.name for law in laws),
        plan.starts,
        seed,
        ordinary,
    )


def redraw(
    stream: LawStream,
    positions: Tokens,  # (k,) whose tokens change
    seed: int,
) -> Tokens:  # (T,) int64
    """The flip: other ordinary tokens at `positions`. Length and boundaries stay."""
    rng = np.random.default_rng([seed, 0xF11B])
    at = positions[stream.drawn[positions]]
    index = np.searchsorted(stream.ordinary, stream.tokens[at])
    step = rng.integers(1, len(stream.ordinary), size=len(at))
    flipped = stream.tokens.copy()
    flipped[at] = stream.ordinary[(index + step) % len(stream.ordinary)]
    return flipped
