"""Tokens of unequal price, in documents whose ends are drawn: what is left out shows by its price.

Most tokens are one of a few common ids, the rest any other, each drawn alone; past a shortest
length, every position may end the document with the same probability. So which tokens are dear, and
where documents end, cannot be known beforehand.

Guarantees: `log_q` is exact, at boundaries too; positions that were chosen without looking at the
tokens hold rare ones and boundaries at these rates. Does not cover: alphabets of few ids.
"""

from dataclasses import dataclass, replace

import numpy as np

from harness.arrays import Bools, Tokens
from harness.streams.distributions import Document
from harness.streams.drawn import SHORTEST, Schedule, SourceStream, draw
from harness.streams.pure import PureStream, drawn_alone

COMMON = 32  # ids; a small model learns in some forty steps that they are
RARE = 1 / 8  # of the tokens in a document
END = 1 / 32  # probability that a document ends, past its shortest length
FEWEST_IDS = 4 * COMMON  # of an alphabet
TIMES = 2  # as long as the stream of the base run


@dataclass(frozen=True, eq=False)
class Uneven:
    """The law of what stands inside documents."""

    common: Tokens  # (COMMON,) ids
    name: str = "rare among common"

    def documents(
        self, lengths: Tokens, ordinary: Tokens, boundary: int, rng: np.random.Generator
    ) -> list[Document]:
        """Independent draws."""
        others = np.setdiff1d(ordinary, self.common)
        return [self._document(int(n), others, rng) for n in lengths]

    def _document(self, n: int, others: Tokens, rng: np.random.Generator) -> Document:
        rare = rng.random(n) < RARE
        tokens = np.where(rare, rng.choice(others, size=n), rng.choice(self.common, size=n))
        q = np.where(rare, RARE / len(others), (1 - RARE) / len(self.common))
        return tokens, np.log(q)


def uneven_stream(
    like: SourceStream,  # `TIMES` as long as this one
    seed: int,
    train_tokens: int,
) -> PureStream | None:
    """One draw of both; None where the alphabet is too small."""
    if len(like.ordinary) < FEWEST_IDS:
        return None
    rng = np.random.default_rng([seed, 0xC0440])
    law = Uneven(np.sort(rng.choice(like.ordinary, COMMON, replace=False)))
    if like.row_tokens:  # there only the tokens inside rows have unequal prices
        stream = drawn_alone(law, like, len(like.tokens), seed)
        return PureStream(stream, drawn_alone(law, like, train_tokens, seed, split=1).tokens)
    stream = _drawn(law, like, (len(like.tokens) - 1) * TIMES + 1, seed, split=0)
    return PureStream(stream, _drawn(law, like, train_tokens, seed, split=1).tokens)


def is_rare(stream: SourceStream) -> Bools:
    """(T,) drawn inside a document, and none of the common ids."""
    price = -stream.log_q[inside(stream)]
    dear = np.zeros(len(stream.tokens), bool)
    dear[inside(stream)] = price > (price.min() + price.max()) / 2
    return dear


def inside(stream: SourceStream) -> Bools:
    """(T,) drawn, and no boundary."""
    found = stream.drawn.copy()
    found[stream.starts] = False
    return found


def _drawn(law: Uneven, like: SourceStream, n_tokens: int, seed: int, split: int) -> SourceStream:
    rng = np.random.default_rng([seed, split, 0xE4D5])
    starts = _starts(n_tokens, rng)
    lengths = np.diff(np.append(starts, n_tokens))
    plan = Schedule(lengths, np.zeros(len(lengths), np.int64))
    boundary = int(like.tokens[like.starts[0]])
    return _priced(draw([law], plan, like.ordinary, boundary, seed, split))


def _starts(n_tokens: int, rng: np.random.Generator) -> Tokens:
    starts = [0]
    while True:
        after = starts[-1] + SHORTEST - 1 + int(rng.geometric(END))
        if after > n_tokens - SHORTEST:
            return np.array(starts, np.int64)
        starts.append(after)


def _priced(stream: SourceStream) -> SourceStream:
    """With the probability that a document ends, or goes on, wherever it may end."""
    at = np.arange(len(stream.tokens))
    begun = stream.starts[np.searchsorted(stream.starts, at, side="left") - 1]  # before `at`
    may_end: Bools = (at - begun >= SHORTEST) & (at <= len(at) - SHORTEST)
    ends, log_q, drawn = np.isin(at, stream.starts[1:]), stream.log_q.copy(), stream.drawn.copy()
    log_q[may_end & ends] += np.log(END)
    log_q[may_end & ~ends] += np.log1p(-END)
    drawn[ends] = True
    return replace(stream, log_q=log_q, drawn=drawn)
