"""The declared score: which printed figures are the one that submission.json names.

Guarantees: one answer for scans and for runs. A figure is the declared one where it comes to it in
four decimals, as published scores are rounded; where no figure does, and only three decimals are
declared (which may be four, the last one a zero), in three.
Does not cover: which of several such figures is meant.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

FOUR_DECIMALS: Final = 6e-5  # bits per byte: half a unit, and a little for rounding twice
THREE_DECIMALS: Final = 6e-4


def that_come_to(figures: Iterable[float], declared: float) -> frozenset[float]:
    """Those figures, in bits per byte, that are the declared one."""
    known = frozenset(figures)
    for tolerance in _tolerances(declared):
        if near := frozenset(one for one in known if abs(one - declared) <= tolerance):
            return near
    return frozenset()


def _tolerances(declared: float) -> tuple[float, ...]:
    coarse = round(declared, 3) == declared
    return (FOUR_DECIMALS, THREE_DECIMALS) if coarse else (FOUR_DECIMALS,)
