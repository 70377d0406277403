"""ORDER-6: is each row scored alone, where the contest says so?

Tokens of one row are changed, and none of a row that a later call scores: what moves there was
carried from row to row. Score-first memories do it, too, and some contests only say nothing.
Guarantees: *unknown* at most, and only where two changes moved it and a repeat did not. Does not
cover: what is carried between rows of one call, which CAUSAL-1 tries.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.arrays import Ints
from harness.checks.status import Finding, Level, Status
from harness.tolerances import MOVE_NATS
from harness.trace.scored_positions import ScoredPass, nats_at

RULE = "ORDER-6"


@dataclass(frozen=True)
class Carried:
    """Scores of the later rows."""

    compared: int
    moved: int  # under each change
    repeated: bool  # a repeat gave the same, and two changes were made


def carried(
    base: ScoredPass,
    repeats: Sequence[ScoredPass],
    changes: Sequence[ScoredPass],
    places: Ints,  # (k,) of the rows whose tokens stayed
) -> Carried | None:
    """None where nothing can be compared."""
    was = nats_at(base, places)
    now = [nats_at(run, places) for run in changes]
    if not len(places) or not now or not all(np.isfinite(x).all() for x in (was, *now)):
        return None
    moved = (np.abs(np.stack(now) - was) > MOVE_NATS).all(axis=0)
    same = [np.array_equal(was, nats_at(run, places)) for run in repeats]
    return Carried(len(places), int(moved.sum()), bool(same) and all(same) and len(now) > 1)


def check_rows_alone(found: Carried | None) -> Finding | None:
    """Nothing where nothing moved."""
    if found is None or not found.moved or not found.repeated:
        return None
    text = (
        f"other tokens in one row moved {found.moved:,} of {found.compared:,} scores of a row that"
        " a later call scored: it carries something from row to row, and in this contest each is"
        " scored alone"
    )
    return Finding(RULE, Status.UNKNOWN, Level.BLACK_BOX, text)
