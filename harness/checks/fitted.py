"""CAUSAL-5, PASS-2: was something fitted or chosen on tokens that had not been scored?

A temperature, a clip, a checkpoint that the whole validation stream decides is the same under one
future and another of the same kind, so that no score moves. So futures of other kinds are asked
for: the tokens alone that score best, which reward a confident model; those alone that score worst,
which punish it; where one of them moved scores, half of each kind. What reads them flips, and every
score with it.

Decides: three outcomes or more, the base run's among them, are no choice between two models:
something was computed from later tokens. Two may be one, worth ln 2 nats (#754 counts the better of
raw and averaged weights): *unknown*. A choice for all of the stream moves all scores. Where those
of the latest steps alone moved, and those of more than half of the tokens before did not, something
is chosen anew for each part, by the part itself (PASS-2), however few there are to choose from; so
it is where the record shows the best of several scores each time.
Does not cover: what comes out alike under all of them; so nothing here passes a rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.arrays import Floats, Ints
from harness.checks.cut import Cut
from harness.checks.future import FutureChange
from harness.checks.status import Finding, Level, Status
from harness.tolerances import MOVE_NATS
from harness.trace.scored_positions import ScoredPass, nats_at, per_position

RULE = "CAUSAL-5"
PARTS_RULE = "PASS-2"
MOST_CHOICES = 2  # outcomes that a choice between two models explains
FEWEST_STILL = 64  # tokens before, whose scores did not move
MOVERS = 2  # futures that must both move scores of the latest part


@dataclass(frozen=True)
class Fitted:
    """What moved under futures of other kinds."""

    compared: int
    moved: Ints  # (k,) positions, under any of them
    outcomes: int  # different scores of these, the base run's among them
    still: int = 0  # scores of earlier steps than any that moved
    movers: int = 0  # futures that moved any

    @property
    def computed(self) -> bool:
        """From later tokens, and no choice between two."""
        return self.outcomes > MOST_CHOICES

    @property
    def by_parts(self) -> bool:
        """Chosen anew for each part: a choice for all would have moved the earlier ones, too."""
        return self.movers >= MOVERS and self.still >= max(FEWEST_STILL, self.compared / 2)


def fitted(
    base: ScoredPass,
    futures: Sequence[ScoredPass],
    changes: Sequence[FutureChange],
    cut: Cut,
) -> Fitted | None:
    """`changes`: of the scores under each of the futures; None where one could not be compared."""
    if not changes or any(change.threshold_nats is None for change in changes):
        return None
    moved = np.unique(np.concatenate([change.moved for change in changes]))
    rows = [nats_at(scored, moved) for scored in (base, *futures)]
    if not len(moved):
        return Fitted(changes[0].compared, moved, 1)
    movers = sum(len(change.moved) > 0 for change in changes)
    still = _still_before(base, moved, cut)
    return Fitted(changes[0].compared, moved, _distinct(rows), still, movers)


def chosen_by_part(base: ScoredPass, change: FutureChange, cut: Cut) -> Fitted | None:
    """What moved to the same other scores under two futures, where most of what had been scored in
    earlier steps stayed: no choice of one model for all. None: that is open.
    """
    if not change.doubt or not len(change.moved):
        return None
    still = _still_before(base, change.moved, cut)
    found = Fitted(change.compared, change.moved, MOST_CHOICES, still, MOVERS)
    return found if found.by_parts else None


def _still_before(base: ScoredPass, moved: Ints, cut: Cut) -> int:
    """Compared scores that were fixed in steps before the first that moved."""
    view = per_position(base)
    first = view.last[np.isin(view.position, moved)].min()
    return int((view.last[np.isin(view.position, cut.compared)] < first).sum())


def _distinct(rows: Sequence[Floats]) -> int:
    """Rows that differ from each other somewhere by more than a move."""
    found: list[Floats] = []
    for row in rows:
        if all(np.abs(row - other).max() > MOVE_NATS for other in found):
            found.append(row)
    return len(found)


def check_fitted(found: Fitted | None, best: bool = False) -> Finding | None:
    """None where nothing moved, or nothing could be compared; `best`: what counted was seen to be
    the best of several scores each time, which no choice of one model for all is.
    """
    if found is None or not len(found.moved):
        return None
    numbers = {
        "compared": found.compared,
        "moved": len(found.moved),
        "outcomes": found.outcomes,
    }
    text = (
        f"{len(found.moved):,} of {found.compared:,} scores moved when the tokens behind them were"
        " others, such as those that score best or worst"
    )
    if best:
        text += ": what counts is the best of several scores, chosen after they were known"
        return Finding(PARTS_RULE, Status.FAIL, Level.BLACK_BOX, text, (numbers,))
    if found.by_parts:
        text = (
            f"{len(found.moved):,} scores moved with the tokens behind them, and {found.still:,}"
            " that had been fixed in earlier steps did not: for each part something is chosen by"
            " its own tokens, before they are scored"
        )
        return Finding(PARTS_RULE, Status.FAIL, Level.BLACK_BOX, text, (numbers,))
    if found.computed:
        text += f", with {found.outcomes} outcomes: something was fitted on tokens not yet scored"
        return Finding(RULE, Status.FAIL, Level.BLACK_BOX, text, (numbers,))
    text += ": a temperature, a checkpoint or a model may have been chosen on tokens not yet scored"
    return Finding(RULE, Status.UNKNOWN, Level.BLACK_BOX, text, (numbers,))
