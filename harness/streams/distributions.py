"""Distributions that a validation stream can be drawn from, each with exact probabilities.

    Uniform   every ordinary id alike. All of them: a subset would hide nats; or a few on purpose,
              for what a script makes of long words, of single letters
    Repeats   with a known probability the token `distance` places back, else uniform: exact mixture
    Markov    language-like: sampled from backed-off bigrams and trigrams of a given text. A neural
              model would look more like language, but no battery may train one first (100 s)

A distribution draws the bodies of independent documents: nothing that it draws depends on another
document, so scoring documents in another order wins nothing. Guarantees: `log_q` is the logarithm
of the very probability that the token was drawn with, over the ordinary ids. Does not cover
boundaries: they belong to the schedule (`draw`).
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from harness.arrays import Nats, Tokens

Document = tuple[Tokens, Nats]  # (n,) ids without the boundary, (n,) nats: ln q of each


class Distribution(Protocol):
    """A source of independent documents."""

    @property
    def name(self) -> str:
        """For the report."""

    def documents(
        self,
        lengths: Tokens,  # (D,) tokens per document, without its boundary
        ordinary: Tokens,  # (n,) ids that may be drawn
        boundary: int,  # the token that a document's first drawn one stands behind
        rng: np.random.Generator,
    ) -> list[Document]:
        """D documents."""


@dataclass(frozen=True, eq=False)
class Uniform:
    """Ids alike: nothing to learn but which, so any saving is knowledge of the stream."""

    name: str = "uniform"
    ids: Tokens | None = None  # (K,); None: every ordinary one

    def documents(
        self, lengths: Tokens, ordinary: Tokens, boundary: int, rng: np.random.Generator
    ) -> list[Document]:
        """Independent draws."""
        ids = ordinary if self.ids is None else self.ids
        log_q = -np.log(len(ids))
        return [(rng.choice(ids, size=n), np.full(n, log_q)) for n in lengths]


@dataclass(frozen=True)
class Repeats:
    """Code that waits for repeated contexts meets them; each document has one distance."""

    share: float = 0.5  # probability that a token copies the one `distance` places back
    distances: tuple[int, int] = (16, 48)  # smallest, largest; one a document
    name: str = "repeats"

    def documents(
        self, lengths: Tokens, ordinary: Tokens, boundary: int, rng: np.random.Generator
    ) -> list[Document]:
        """Copies and fresh draws."""
        return [self._document(int(n), ordinary, rng) for n in lengths]

    def _document(self, n: int, ordinary: Tokens, rng: np.random.Generator) -> Document:
        distance = int(rng.integers(self.distances[0], self.distances[1] + 1))
        tokens = rng.choice(ordinary, size=n)
        copies = rng.random(n) < self.share
        for t in range(distance, n):
            if copies[t]:
                tokens[t] = tokens[t - distance]
        q = np.full(n, 1 / len(ordinary))
        q[distance:] *= 1 - self.share
        q[distance:] += self.share * (tokens[distance:] == tokens[: max(n - distance, 0)])
        return tokens, np.log(q)


@dataclass(frozen=True, eq=False)
class Markov:
    """q(x | a, b) = a mixture of uniform, bigram and trigram frequencies of a given text.

    Where a context was never seen its share falls to the next shorter one, so q is exact anywhere.
    """

    text: Tokens  # (n,) ids; ids that are not ordinary only break contexts
    shares: tuple[float, float, float] = (0.02, 0.28, 0.7)  # uniform, bigram, trigram
    name: str = "text, trigrams"

    def documents(
        self, lengths: Tokens, ordinary: Tokens, boundary: int, rng: np.random.Generator
    ) -> list[Document]:
        """Token by token, from the boundary on."""
        follow = _Followers(self.text, ordinary)
        return [self._document(int(n), follow, boundary, rng) for n in lengths]

    def _document(
        self, n: int, follow: "_Followers", boundary: int, rng: np.random.Generator
    ) -> Document:
        tokens, log_q = np.empty(n, np.int64), np.empty(n)
        context = (boundary, boundary)
        for t in range(n):
            known = [follow.bigram(context[1]), follow.trigram(*context)]
            tokens[t], log_q[t] = self._token(known, follow.ordinary, rng)
            context = (context[1], int(tokens[t]))
        return tokens, log_q

    def _token(
        self, known: list[Tokens], ordinary: Tokens, rng: np.random.Generator
    ) -> tuple[int, float]:
        """One draw. `known`: what followed each context in the text, with repetition."""
        levels = [ordinary] + [seen for seen in known if len(seen)]
        shares = np.array(self.shares[: len(levels)])
        shares[-1] += 1 - shares.sum()
        chosen = levels[rng.choice(len(levels), p=shares)]
        token = int(chosen[rng.integers(len(chosen))])
        q = sum(s * float(np.mean(level == token)) for s, level in zip(shares, levels, strict=True))
        return token, float(np.log(q))


@dataclass(frozen=True, eq=False)
class _Followers:
    """What follows each context of one or two tokens in a text."""

    text: Tokens
    ordinary: Tokens
    base: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "base", int(max(self.text.max(), self.ordinary.max())) + 1)

    @cached_property
    def _ones(self) -> tuple[Tokens, Tokens]:
        return self._sorted(self.text[:-1], self.text[1:])

    @cached_property
    def _twos(self) -> tuple[Tokens, Tokens]:
        return self._sorted(self.text[:-2] * self.base + self.text[1:-1], self.text[2:])

    def _sorted(self, keys: Tokens, values: Tokens) -> tuple[Tokens, Tokens]:
        usable = np.isin(values, self.ordinary)
        keys, values = keys[usable], values[usable]
        order = np.argsort(keys, kind="stable")
        return keys[order], values[order]

    def bigram(self, last: int) -> Tokens:
        """All tokens that follow `last`."""
        return _range(self._ones, last)

    def trigram(self, before: int, last: int) -> Tokens:
        """All tokens that follow the two."""
        return _range(self._twos, before * self.base + last)


def _range(index: tuple[Tokens, Tokens], key: int) -> Tokens:
    keys, values = index
    return values[np.searchsorted(keys, key) : np.searchsorted(keys, key, side="right")]
