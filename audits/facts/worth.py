"""Worth: what a value is of a token's code length or probability, where every step is understood.

`cross_entropy` is worth one code length, nine tenths of it are worth 0.9; `exp(-nll)` is a
probability of mass one, and 1.2 of it has mass 1.2. Whatever is not followed has no worth.

Guarantees: immutable; a worth is known or absent, never guessed.
Does not cover: which operation keeps it; that is for `effects.worths`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final


class Form(Enum):
    """In which form a token's score is at hand."""

    NATS = "code length"  # also in bits
    LOG = "logarithm of a probability"
    P = "probability"
    BENT = "code length, bent"  # through a function that is not linear


UNCHANGED: Final = -1  # no event
WHOLE: Final = 0.999  # what is above, rounding explains
FULL: Final = 1.01  # mass that a floor too small to matter may add up to


@dataclass(frozen=True, slots=True)
class Worth:
    """One token's score, as it is here."""

    form: Form
    share: float = 1.0  # of the code length: the least that any token pays
    mass: float = 1.0  # the least that the alternatives' probabilities sum to
    change: int = UNCHANGED  # the event that changed share, mass or form last
    summed: bool = False  # over tokens or models: a division by a count may be a mean
    bits: bool = False  # met ln 2
    stacked: bool = False  # several scores of the same tokens, side by side

    def turned(self, form: Form) -> Worth:
        return replace(self, form=form)


@dataclass(frozen=True, slots=True)
class Span:
    """Plain numbers, known but for which of them it is: a weight, a mask."""

    low: float
    high: float


class Start(Enum):
    """Zero, before a loop adds to it."""

    ZERO = 0.0


Known = Worth | Span | Start


def joined(a: Known | None, b: Known | None) -> Known | None:
    """What is true of both; a total that may not have begun is what is added to it."""
    if a is Start.ZERO and isinstance(b, Worth):
        return b
    if b is Start.ZERO and isinstance(a, Worth):
        return a
    return a if a == b else None
