"""Events on the way from a token's loss to the number: totals, and what is done to a score.

Guarantees: an accumulation keeps what its value is worth, where every step is understood.
Does not cover: how logits came to be.
"""

from __future__ import annotations

from dataclasses import dataclass

from audits.facts.events.moments import Moment, Site
from audits.facts.labels import Label
from audits.facts.values import Obj
from audits.facts.worth import Worth


@dataclass(frozen=True, slots=True)
class Accumulation:
    """A value added to a running total or stored in an array."""

    site: Site
    moment: Moment
    labels: frozenset[Label]
    into: frozenset[Obj] = frozenset()  # the shared totals it was added to
    worth: Worth | None = None  # of a token's code length, where every step is understood
    sifts: frozenset[int] = frozenset()  # Sifts that it is on one side of


@dataclass(frozen=True, slots=True)
class Reset:
    """A shared total that is set back to zero."""

    site: Site
    moment: Moment
    total: Obj


@dataclass(frozen=True, slots=True)
class Quotient:
    """A division of one table read by another."""

    site: Site
    above: frozenset[int]  # TableRead ids
    below: frozenset[int]


@dataclass(frozen=True, slots=True)
class Choice:
    """A minimum taken between losses of the same tokens."""

    site: Site
    moment: Moment


@dataclass(frozen=True, slots=True)
class Change:
    """A token's code length, or its probability, is made another one."""

    site: Site
    moment: Moment
    how: str  # "times 0.9"


@dataclass(frozen=True, slots=True)
class Message:
    """A line that is put together of text and of results."""

    site: Site
    moment: Moment
    text: tuple[str, ...]  # what is known of it, in order
    labels: frozenset[Label]  # of the results in it

    @property
    def length(self) -> int:
        """Characters that are known."""
        return sum(len(part.strip()) for part in self.text)

    def fits(self, line: str) -> bool:
        """Whether the line may be this message, filled in."""
        at = 0
        for part in self.text:
            at = line.find(part, at)
            if at < 0:
                return False
            at += len(part)
        return True


@dataclass(frozen=True, slots=True)
class Patch:
    """An upper bound, or a replacement of bad values, put on realised losses."""

    site: Site
    moment: Moment
    name: str


@dataclass(frozen=True, slots=True)
class Weighting:
    """A token's probability multiplied by a weight made of that same probability."""

    site: Site
    moment: Moment
    lengths: bool = False  # code lengths are weighted


@dataclass(frozen=True, slots=True)
class Tilt:
    """Something taken off realised losses where a hint comes true."""

    site: Site
    moment: Moment
    hits: frozenset[int]


@dataclass(frozen=True, slots=True)
class Sift:
    """Some tokens are taken and others left, by a test that is no boundary of the stream."""

    site: Site
    moment: Moment
    by: frozenset[Label]  # what the test hangs on


@dataclass(frozen=True, slots=True)
class NativeCall:
    """A call into C or C++ that spreads a token's log-probability over its bytes."""

    site: Site
    moment: Moment
    name: str
    labels: frozenset[Label]  # of what it was given


@dataclass(frozen=True, slots=True)
class Gate:
    """An entry for a token, stored under a condition on a property of that token."""

    site: Site
    moment: Moment
    name: str  # the native function, or "" for Python
