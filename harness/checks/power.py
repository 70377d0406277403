"""A test that could not have failed is no pass: what its control saved on this very script.

    context      earlier tokens of the same context are others: CAUSAL-1
    training    the validation stream was given as the training shards: ORDER-2
    adaptation  each chunk was followed by its own copy: ORDER-1, CAUSAL-3, PASS-1
    tables      a planted unnormalised twin at the script's load: what SOURCE-1 sees of tables

A control is scored as if its tokens had been fresh, by the arithmetic of the source test; the
class has power when that would have refuted. A class without is *unknown*, with the number; where
a script has nothing of the kind (no update between two scores; or none that was seen, and nothing
carried from early tokens to later ones), it does not apply. Tables
bring down no pass: NORM-1 is passed by a softmax or by a sum over the alphabet, never by SOURCE-1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.arrays import Floats, Ints
from harness.checks.e_values import THRESHOLD_NATS, mixture_log_e
from harness.checks.source import SourceTest, inconclusive_reason, mixture_nats
from harness.checks.status import Level, Reason, Status
from harness.streams.drawn import SourceStream
from harness.streams.planted_cache import planted_twin
from harness.tolerances import MOVE_NATS
from harness.trace.scored_positions import ScoredPass, per_position
from harness.trace.script_run import ScriptRun

MOST = 0.5  # of the scores must move
FEWEST_STILL = 64  # scores beyond a context, none of which moved
ADAPTATION = ("ORDER-1", "CAUSAL-3", "PASS-1")
CLASSES = {
    "CAUSAL-1": "context",
    "ORDER-2": "training",
    **dict.fromkeys(ADAPTATION, "adaptation"),
}
LEVELS = {"CAUSAL-1": Level.BLACK_BOX}  # of the passes that need power; the others: instrumented


@dataclass(frozen=True)
class Power:
    """One class; nats."""

    name: str  # "training", "adaptation", "tables"
    below_source: float  # than the source of fresh tokens, nothing subtracted; positive: better
    log_e: float  # of the better e-value
    threshold: float
    note: str = ""
    by_moves: bool = False  # another future would have seen it, whatever the source test would have
    applies: bool = True  # False: the script does nothing of the kind

    @property
    def shown(self) -> bool:
        """The class would have been refuted, or seen to move scores, at this scale."""
        return self.log_e >= self.threshold or self.by_moves

    @property
    def text(self) -> str:
        """For the report."""
        if not self.applies:
            return f"{self.name}: not applicable, {self.note}"
        because = f" ({self.note})" if self.note else ""
        if self.log_e >= self.threshold:
            return (
                f"the {self.name} control was seen: log e-value {self.log_e:.1f}, threshold"
                f" {self.threshold:.1f}{because}"
            )
        if self.by_moves:
            return f"the {self.name} control was seen{because}"
        if not math.isfinite(self.log_e):
            return f"the {self.name} control was not seen: {self.note or 'nothing was measured'}"
        value = f"log e-value {self.log_e:.1f}, threshold {self.threshold:.1f}"
        return f"the {self.name} control was not seen: {value}{because}"

    def with_moves(self, moves: Floats, what: str) -> "Power":
        """The same, and by how much scores moved: nats."""
        if not len(moves):
            return self
        note = f"{_share(moves):.0%} of {what} moved, by {np.median(moves):.2g} nats in the median"
        return replace(self, note=note, by_moves=majority_moved(moves))


def majority_moved(moves: Floats) -> bool:
    """Enough of the scores did for another future to have power."""
    return bool(len(moves)) and _share(moves) > MOST


def _share(moves: Floats) -> float:
    return float((moves > MOVE_NATS).mean())


def moves(one: ScoredPass, two: ScoredPass) -> tuple[Ints, Floats]:
    """(c,) positions that both scored, and by how much their scores differ, nats."""
    a, b = per_position(one), per_position(two)
    common, left, right = np.intersect1d(a.position, b.position, return_indices=True)
    return common, np.abs(a.nats[left] - b.nats[right])


def adaptation_effect(was: ScriptRun, past: ScriptRun, reach: int) -> Floats:
    """(c,) nats by which scores moved that stand further than `reach`, a context, behind the last
    token before them that is another one in `past`: only updates carry that far.
    """
    if was.scored is None or past.scored is None:
        return np.empty(0)
    places, nats = moves(was.scored, past.scored)
    changed = np.flatnonzero(was.source.tokens != past.source.tokens)
    last = np.searchsorted(changed, places, side="right") - 1
    found: Floats = nats[(last >= 0) & (places - changed[last] > reach)]
    return found


def context_power(
    base: ScriptRun,
    future: ScriptRun,
    places: Ints,  # (k,) positions behind other tokens, whose own tokens stay
    how: str = "",  # the two runs differ from the usual, or the positions do
) -> Power:
    """Does anything pass from token to token? What moves no later score could not have moved an
    earlier one: attention whose output is still zero is silent in both directions.
    """
    power = Power("context", 0.0, -np.inf, THRESHOLD_NATS)
    if base.scored is None or future.scored is None:
        return power
    scored, nats = moves(base.scored, future.scored)
    return power.with_moves(nats[np.isin(scored, places)], f"scores behind other tokens{how}")


def training_power(control: SourceTest) -> Power:
    """`control`: the source test of the run that trained on its validation stream."""
    return Power(
        "training", control.below_source, control.log_e, control.threshold, control.inconclusive
    )


def adaptation_power(scored: ScoredPass | None, control: SourceStream, threshold: float) -> Power:
    """From the copies alone: `control.drawn` marks them."""
    reason = inconclusive_reason(scored)
    if reason or scored is None:
        return Power("adaptation", 0.0, -np.inf, threshold, reason)
    view = per_position(scored)
    copies = control.drawn[view.position]
    log_q = control.log_q[view.position]
    saved = float((-view.nats - log_q)[copies].sum())
    return Power("adaptation", saved, mixture_nats(view, control), threshold)


def without_updates(threshold: float) -> Power:
    """Adaptation, of a script that never adapts."""
    note = "no weight changed between two scores, and no table was mixed in"
    return Power("adaptation", 0.0, -np.inf, threshold, note, applies=False)


def carries_nothing(effects: Sequence[Floats]) -> bool:
    """(c,) nats by which scores moved, of each pair of runs: none, by any bit, though many could
    have: what a script learns from early tokens, or from a chunk and its copy, shows in some.
    """
    return all(len(moved) >= FEWEST_STILL and not moved.any() for moved in effects)


def without_effect(threshold: float) -> Power:
    """Adaptation, of a script that was seen to carry nothing beyond a context."""
    note = "no weight changed between two scores, and early tokens moved no later one by any bit"
    return Power("adaptation", 0.0, -np.inf, threshold, note, applies=False)


def without_training(threshold: float) -> Power:
    """Training, of a program that is given no training shards."""
    note = "it is given no training shards"
    return Power("training", 0.0, -np.inf, threshold, note, applies=False)


def table_power(
    stream: SourceStream,
    buckets: int,
    threshold: float,
) -> Power:
    """What a planted twin would have saved at the script's load."""
    nats = planted_twin(stream, buckets)
    drawn = stream.drawn[: len(nats)].copy()
    drawn[0] = False
    log_ratios = (-nats - stream.log_q[: len(nats)])[drawn]
    note = f"{len(nats) / buckets:.3g} tokens a bucket"
    return Power("tables", float(log_ratios.sum()), mixture_log_e(log_ratios), threshold, note)


def require_power(
    rule: str,
    power: Power | None,  # None: its control did not run
) -> Reason:
    """A pass without power becomes *unknown*; one with it keeps its status, with the number."""
    name = CLASSES[rule]
    why = f"the {name} control did not run" if power is None else power.text
    to = Status.PASS if power is not None and power.shown else Status.UNKNOWN
    level = LEVELS.get(rule, Level.INSTRUMENTED)
    numbers = {"power": name, "saved_nats": None if power is None else power.below_source}
    return Reason(rule, Status.PASS, to, why, level, (numbers,))
