"""CAUSAL-5: was something fitted or chosen on tokens that had not been scored?

A temperature, a clip, a checkpoint that the whole validation stream decides is the same under one
future and another of the same kind, so that no score moves. So futures of other kinds are asked
for: the tokens alone that score best, which reward a confident model; those alone that score worst,
which punish it; where one of them moved scores, half of each kind. What reads them flips, and every
score with it.

Decides: three outcomes or more, the base run's among them, are no choice between two models:
something was computed from later tokens. Two may be one, worth ln 2 nats (#754 counts the better of
raw and averaged weights): *unknown*.
Does not cover: what comes out alike under all of them; so nothing here passes a rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.arrays import Floats, Ints
from harness.checks.future import FutureChange
from harness.checks.status import Finding, Level, Status
from harness.tolerances import MOVE_NATS
from harness.trace.scored_positions import ScoredPass, nats_at

RULE = "CAUSAL-5"
MOST_CHOICES = 2  # outcomes that a choice between two models explains


@dataclass(frozen=True)
class Fitted:
    """What moved under futures of other kinds."""

    compared: int
    moved: Ints  # (k,) positions, under any of them
    outcomes: int  # different scores of these, the base run's among them

    @property
    def computed(self) -> bool:
        """From later tokens, and no choice between two."""
        return self.outcomes > MOST_CHOICES


def fitted(
    base: ScoredPass, futures: Sequence[ScoredPass], changes: Sequence[FutureChange]
) -> Fitted | None:
    """`changes`: of the scores under each of the futures; None where one could not be compared."""
    if not changes or any(change.threshold_nats is None for change in changes):
        return None
    moved = np.unique(np.concatenate([change.moved for change in changes]))
    rows = [nats_at(scored, moved) for scored in (base, *futures)]
    return Fitted(changes[0].compared, moved, _distinct(rows) if len(moved) else 1)


def _distinct(rows: Sequence[Floats]) -> int:
    """Rows that differ from each other somewhere by more than a move."""
    found: list[Floats] = []
    for row in rows:
        if all(np.abs(row - other).max() > MOVE_NATS for other in found):
            found.append(row)
    return len(found)


def check_fitted(found: Fitted | None) -> Finding | None:
    """None where nothing moved, or nothing could be compared."""
    if found is None or not len(found.moved):
        return None
    numbers = {
        "compared": found.compared,
        "moved": len(found.moved),
        "outcomes": found.outcomes,
    }
    text = (
        f"{len(found.moved):,} of {found.compared:,} scores moved when the tokens behind them were"
        " those that score best or worst"
    )
    if found.computed:
        text += f", with {found.outcomes} outcomes: something was fitted on tokens not yet scored"
        return Finding(RULE, Status.FAIL, Level.BLACK_BOX, text, (numbers,))
    text += ": a temperature, a checkpoint or a model may have been chosen on tokens not yet scored"
    return Finding(RULE, Status.UNKNOWN, Level.BLACK_BOX, text, (numbers,))
