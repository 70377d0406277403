"""Lengths and places along time: a multiple of the sequence's length plus a number.

Guarantees: exact arithmetic; a whole length counts as more than any number.
Does not cover: two sequences of different lengths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, order=True)
class Linear:
    """`lengths * T + places`; ordered as for a long sequence."""

    lengths: int
    places: int

    def __add__(self, other: Linear) -> Linear:
        return Linear(self.lengths + other.lengths, self.places + other.places)

    def __sub__(self, other: Linear) -> Linear:
        return Linear(self.lengths - other.lengths, self.places - other.places)


NONE: Final = Linear(0, 0)
WHOLE: Final = Linear(1, 0)
END: Final = Linear(1, -1)  # the last place
NEVER: Final = Linear(-9, 0)  # knows no place


def number(places: int) -> Linear:
    return Linear(0, places)
