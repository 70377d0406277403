"""CAUSAL-1 at the first changed token: what stands before it fixes its whole distribution.

A model that reads the token it predicts moves no earlier score, and its softmax sums to one by
construction. But with another token there, the same prefix gets another distribution. The hooks
keep the distribution from which the script picked its score (`KeptRows`), and under each changed
future the one of the first changed position is held against the base run's.

Decides: the distribution is the same to the bit in a repeat (else ten times the band of five runs
counts); under two futures, each with its own token there, it is another one, and differs between
them; scores that were fixed before did not move. What the base run's distribution said that the new
token would cost is then not what the script counts for it when it comes: both numbers are those of
whole runs on streams of ours, and each kept distribution holds the score that entered the printed
number. Anything less is *unknown*.
Does not cover: other positions; scores whose distribution no hook saw.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.arrays import Floats
from harness.checks.cut import Cut
from harness.checks.e_values import BFLOAT16_NATS
from harness.checks.future import STILL_NATS
from harness.checks.status import Finding, Level, Status
from harness.tolerances import BAND_RUNS, BAND_TIMES, MOVE_NATS
from harness.trace.scored_positions import per_position
from harness.trace.script_run import ScriptRun

RULE = "CAUSAL-1"
# Windows that overlap see a position more than once in one call: the row that counted is the one
# which holds the score, to float32; two that do tell nothing.
SAME_NATS = 1e-4


@dataclass(frozen=True)
class Exchange:
    """Another token at the position, behind the same prefix."""

    token: int
    expected: float  # nats: what the base run's distribution costs it
    nats: float  # that of the run in which it stood there
    largest: float  # nats by which any entry of the distribution moved

    @property
    def differs(self) -> float:
        """By so many nats the token's own score is another one than it was said to cost."""
        return abs(self.nats - self.expected)


@dataclass(frozen=True)
class FirstRow:
    """The distribution of the first changed position, under each future."""

    status: Status
    position: int
    entries: int
    exchanges: tuple[Exchange, ...]
    reason: str = ""
    needs_second_seed: bool = False

    @property
    def moved(self) -> bool:
        """It depends on the token that it scores."""
        return self.status is Status.FAIL


def compare_rows(
    base: ScriptRun,
    repeats: Sequence[ScriptRun],  # identical runs
    futures: Sequence[ScriptRun],
    cut: Cut,
    nothing_moved: bool,  # of the scores that were fixed before
) -> FirstRow | None:
    """None where a run lacks the row, or something that changed was scored before it."""
    position = cut.first_changed
    was = row_at(base, position)
    again, now = ([row_at(run, position) for run in runs] for runs in (repeats, futures))
    if was is None or not again or not now or not _scored_first(base, cut):
        return None
    same, others = ([row for row in rows if row is not None] for rows in (again, now))
    if len(same) < len(again) or len(others) < len(now):
        return None
    tokens = [int(run.source.tokens[position]) for run in futures]
    pairs = list(zip(tokens, others, strict=True))
    exchanges = tuple(_exchange(token, was, row) for token, row in pairs)

    def result(status: Status, reason: str, more: bool = False) -> FirstRow:
        return FirstRow(status, position, len(was), exchanges, reason, more)

    noise = max(float(np.abs(row - was).max()) for row in same)
    if noise and len(same) + 1 < BAND_RUNS:
        return None  # `compare` says so of the scores
    if max(exchange.largest for exchange in exchanges) <= max(STILL_NATS, noise):
        return result(Status.PASS, "")
    if len(futures) == 1:
        return result(
            Status.UNKNOWN,
            "under one seed: the run under a second one did not come to its end",
            more=True,
        )
    if not nothing_moved:
        return result(Status.UNKNOWN, "and scores before it moved as well")
    if not all(exchange.differs > max(MOVE_NATS, BAND_TIMES * noise) for exchange in exchanges):
        return result(Status.UNKNOWN, "but by too little, or under one seed alone")
    if any(np.array_equal(others[0], row) for row in others[1:]):
        return result(Status.UNKNOWN, "but alike under both futures, as a choice among models does")
    return result(Status.FAIL, "")


def row_at(run: ScriptRun, position: int) -> Floats | None:  # (V,) nats
    """Log-probabilities behind the score that counted; None where no hook saw them."""
    scored, kept = run.scored, run.capture.rows
    if scored is None or not run.softmax_width:
        return None
    fixed = scored.event[scored.position == position]
    found = np.flatnonzero((kept.position == position) & np.isin(kept.event, fixed))
    token = int(run.source.tokens[position])
    if len(fixed) != 1 or any(int(kept.target[one]) != token for one in found):
        return None
    counted = float(scored.nats[scored.position == position][0])
    rows: list[Floats] = [np.asarray(kept.log_p[one], np.float64) for one in found]
    near = BFLOAT16_NATS if len(rows) == 1 else SAME_NATS
    rows = [row for row in rows if np.isfinite(row).all() and abs(row[token] + counted) < near]
    return rows[0] if len(rows) == 1 else None


def _scored_first(base: ScriptRun, cut: Cut) -> bool:
    """Of all that changed, none was scored before it."""
    assert base.scored is not None
    view = per_position(base.scored)
    changed = np.isin(view.position, cut.changed)
    mine = view.position == cut.first_changed
    return bool(mine.any() and view.last[mine][0] <= view.first[changed].min())


def _exchange(
    token: int,
    was: Floats,  # (V,) nats
    now: Floats,  # (V,) nats
) -> Exchange:
    return Exchange(token, -float(was[token]), -float(now[token]), float(np.abs(now - was).max()))


def check_first_row(found: FirstRow | None) -> Finding | None:
    """A failure or an open question; where it did not move, the scores speak alone."""
    if found is None or found.status is Status.PASS:
        return None
    numbers = {
        "position": found.position,
        "entries": found.entries,
        "exchanged": [
            {"token": e.token, "expected_nats": e.expected, "nats": e.nats, "largest": e.largest}
            for e in found.exchanges
        ],
    }
    shown = max(found.exchanges, key=lambda exchange: exchange.differs)
    text = (
        f"behind the same tokens, position {found.position} gets another distribution when another"
        f" token stands there: {shown.token} would have cost {shown.expected:.6f} nats, and costs"
        f" {shown.nats:.6f} where it is the target"
    )
    text = ", ".join(filter(None, (text, found.reason)))
    level = Level.BLACK_BOX if found.moved else Level.INSTRUMENTED
    return Finding(RULE, found.status, level, text, (numbers,))
