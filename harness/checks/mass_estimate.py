"""The mass at one position, by what copies of a script scored there.

Per position sum exp(-score(v)) over the tokens v re-queried: more than one is a mass above one,
however few they were; a pass needs all of them, or a sample: the tokens that a table may know, and
others at random. Guarantees: nothing without an answer that a confirmation run confirmed. Does not
cover: how the positions and the tokens were chosen (`mass_questions`).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.arrays import Bools, Floats, Ints
from harness.checks.e_values import MASS_NATS, score_rounding
from harness.checks.mass_others import OthersMass, others_mass

DRAWN = 48  # tokens drawn at random, from which on the others' mass is believed
EXACT = 1e-6  # deviation below which rows were seen to make the score: half of them will do
DEVIATIONS = 3.0  # of an estimate
EXACT_NATS = 1e-6  # what the same arithmetic gives in a copy and in a whole run
EXACT_RUNS = 6  # that repeat answers, those of the most, the least and the median token among them
ENOUGH = 1.05  # mass at which a position needs no further re-query
PROVED = 1.02  # mass of what was asked for, beyond which one position proves it, if others agree
CONFIRMED_NATS = (
    0.25  # a confirmation run also trains on the token, where a copy's weights are fixed
)


@dataclass(frozen=True, eq=False)
class MassEstimate:
    """One position."""

    position: int
    tokens: Ints  # (k,) re-queried; the first is the one that stands there
    nats: Floats  # (k,) the score of each
    alphabet: int  # tokens there are
    inconclusive: str = ""  # why it tells nothing
    drawn: Bools | None = None  # (k,) at random; None: all but the one that stands there
    confirmed: float | None = None  # nats by which a confirmation run differed, where one was made
    exact: int = 0  # answers that whole runs repeated to `EXACT_NATS`; none, where one did not
    rows: Floats | None = None  # (r, V) numbers that the script read its token's entry of

    @property
    def mass(self) -> float:
        """Of the tokens re-queried, rounding taken off: a lower bound of the whole."""
        resolution = score_rounding(self.nats) + MASS_NATS
        return float(np.exp(-self.nats - resolution).sum())

    @property
    def whole(self) -> bool:
        """Every token was re-queried."""
        return len(self.tokens) == self.alphabet

    @property
    def estimate(self) -> float:
        """Of the whole: tokens not re-queried weigh what those drawn at random do."""
        return float(np.exp(-self.nats).sum()) + self._others.weight

    @property
    def mass_above_one(self) -> bool:
        """Weighs more than one, and a confirmation run agrees."""
        return not self.inconclusive and self.mass > 1 and self.agrees

    @property
    def proved_above_one(self) -> bool:
        """So much more that no rounding makes it, and copies are as good as whole runs."""
        return self.mass_above_one and self.mass > PROVED and self.exact >= EXACT_RUNS

    @property
    def seems_above_one(self) -> bool:
        """By the estimate of what was not asked for."""
        speaks = not self.inconclusive and self.agrees
        return speaks and self.estimate - DEVIATIONS * self.deviation > ENOUGH

    @property
    def mass_at_most_one(self) -> bool:
        """Weighs one or less over the whole alphabet, and a confirmation run agrees."""
        return not self.inconclusive and self.whole and self.mass <= 1 and self.agrees

    @property
    def deviation(self) -> float:
        """Of the estimate; infinite where too few were drawn at random."""
        return self._others.deviation

    @cached_property
    def _others(self) -> OthersMass:
        return others_mass(self.tokens, np.exp(-self.nats), self._drawn, self.alphabet, self.rows)

    @property
    def _drawn(self) -> Bools:
        if self.drawn is not None:
            return self.drawn
        return np.arange(len(self.tokens)) > 0

    @property
    def bounded(self) -> bool:
        """Weighs about one, by a sample, and a confirmation run agrees."""
        most = self.estimate + DEVIATIONS * self.deviation
        needed = DRAWN if self.deviation > EXACT else DRAWN // 2
        enough = self.whole or int(np.count_nonzero(self._drawn)) >= needed
        return not self.inconclusive and enough and most <= ENOUGH and self.agrees

    @property
    def agrees(self) -> bool:
        """A confirmation run gave the same score to the token of an answer."""
        return self.confirmed is not None and abs(self.confirmed) <= CONFIRMED_NATS
