"""The order of events behind the headline: what the ledger says, position by position.

    PASS-3   every position scored           PASS-1    scored once, and not again after
    ORDER-2  used by a training step before   ORDER-1   used by an update inside the pass before it
             the pass began                             was scored
    CAUSAL-3 the same by a transient tensor  PASS-2    given the better of several scores
    ORDER-7  weights changed while a batch was being scored

A diagnostic score licenses no update: only the score that entered the number does. State that is
restored after a warm-up, and adapters thrown away before the pass began, are no updates: the
fingerprint at scoring had been seen before the use. The hooks live inside the script's process, so
what is found here *explains* a black-box proof (`attribution`) and alone is *unknown*.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from harness.arrays import Ints
from harness.checks.source import NOT_REBUILT
from harness.checks.status import Finding, Level, Status
from harness.trace.scored_positions import PerPosition, ScoredPass, nats_at, per_position
from harness.trace.uses import INTERLEAVED, NEVER, Uses

NONE: Ints = np.empty(0, np.int64)
HINDSIGHT_SHARE = 0.02  # each of two passes must win at least so often to be a choice


@dataclass(frozen=True)
class OrderBreak:
    """Positions that break one rule."""

    rule: str
    what: str
    positions: Ints
    secondary: bool = False  # an earlier use than the one that explains best

    @property
    def first(self) -> int:
        """The counterexample."""
        return int(self.positions[0])


@dataclass(frozen=True)
class OrderView:
    """All that the ledger says about the headline pass."""

    scored: int  # positions
    expected: int
    missing: Ints
    breaks: tuple[OrderBreak, ...] = field(default=())

    @property
    def explains(self) -> OrderBreak | None:
        """The break that covers most positions, for a proof that came from outside."""
        causes = [b for b in self.breaks if b.rule != "PASS-3"]
        return max(causes, key=lambda b: (not b.secondary, len(b.positions)), default=None)


def order_view(
    scored: ScoredPass,
    uses: Uses,
    expected: Ints,  # positions that the headline must cover
    earlier: Sequence[ScoredPass] = (),  # passes that ended before this one began
    tail: int = 0,  # positions that a canonical truncation may drop at the end
    best: Ints = NONE,  # whose score was seen to be the best of several
) -> OrderView:
    """Reads the order of the headline pass."""
    view = per_position(scored)
    missing = np.setdiff1d(expected, view.position)
    first_kept = expected[-tail] if tail and tail <= len(expected) else np.inf
    dropped = missing[missing < first_kept]
    twice = _twice(scored, view)
    if len(expected):  # windows cut short by the end of the stream overlap there, in any script
        twice = twice[twice < expected[-1] + 1 - tail]
    breaks = [
        OrderBreak("PASS-3", "never scored", dropped),
        OrderBreak("PASS-1", "scored more than once, with unequal scores", twice),
        *_early_uses(view, uses, earlier),
        *_secondary(view, uses, earlier),
        OrderBreak("PASS-2", "given the better of two earlier scores", _hindsight(view, earlier)),
        OrderBreak("PASS-2", "given the best of several scores", best),
    ]
    found = tuple(b for b in breaks if len(b.positions))
    return OrderView(len(view.position), len(expected), missing, found)


def used_early(scored: ScoredPass, uses: Uses, earlier: Sequence[ScoredPass]) -> Ints:
    """(u,) positions that an update had used before they were scored."""
    found = [b.positions for b in _early_uses(per_position(scored), uses, earlier)]
    return np.unique(np.concatenate(found))


def _twice(scored: ScoredPass, view: PerPosition) -> Ints:
    """Positions scored in several steps whose scores differ."""
    used = scored.weight > 0
    row = np.searchsorted(view.position, scored.position[used])
    spread = np.abs(scored.nats[used] - view.nats[row])
    unequal = np.zeros(len(view.position), bool)
    unequal[row[spread > 1e-3]] = True
    several: Ints = view.position[unequal & (view.first != view.last)]
    return several


def _early_uses(
    view: PerPosition, uses: Uses, earlier: Sequence[ScoredPass]
) -> tuple[OrderBreak, ...]:
    """Scored positions that an update had used before."""
    first = uses.first_used[view.position]
    early = first < view.last
    inside = first >= view.first.min(initial=NEVER)
    if (early & inside).sum() >= INTERLEAVED * early.sum():
        inside = np.ones_like(inside)  # the first batch's use comes before the first score
    same = _same_weights(view, uses)
    if uses.transient is not None:
        same |= uses.transient[view.position]
    honest_before = _scored_first(view, first, earlier)
    kinds = (
        ("CAUSAL-3", "used to optimise a transient tensor, then scored", inside & same),
        ("ORDER-1", "used by an update inside the pass, then scored", inside & ~same),
        (
            "PASS-1",
            "scored, learnt from, and scored again for the number",
            ~inside & ~same & honest_before,
        ),
        (
            "ORDER-2",
            "used by a training step before the scored pass began",
            ~inside & ~same & ~honest_before,
        ),
    )
    return tuple(OrderBreak(rule, what, view.position[early & m]) for rule, what, m in kinds)


def _secondary(
    view: PerPosition, uses: Uses, earlier: Sequence[ScoredPass]
) -> tuple[OrderBreak, ...]:
    """Training before the pass, where an optimisation inside it comes after that."""
    if uses.before is None:
        return ()
    found = _early_uses(view, uses.before, earlier)
    return tuple(replace(b, secondary=True) for b in found if b.rule in ("ORDER-2", "PASS-1"))


def _same_weights(view: PerPosition, uses: Uses) -> npt.NDArray[np.bool_]:
    """(k,) no trace of the use is left in the weights behind the score."""
    if uses.weights_seen is None:
        return np.zeros(len(view.position), bool)
    seen = uses.weights_seen[view.position]
    return np.asarray(seen < uses.first_used[view.position])


def _scored_first(
    view: PerPosition, first_used: Ints, earlier: Sequence[ScoredPass]
) -> npt.NDArray[np.bool_]:
    """(k,) an earlier pass scored the position, then learnt from it, while it still ran.

    A pass that had ended before any update (#518 scores all once before it trains) licenses none.
    """
    licensed = np.zeros(len(view.position), bool)
    for run in earlier:
        past = per_position(run)
        if not len(past.position):
            continue
        row = np.searchsorted(past.position, view.position).clip(max=len(past.position) - 1)
        known = past.position[row] == view.position
        ended = past.last.max()
        interleaved = ((first_used > past.first.min()) & (first_used < ended)).any()
        licensed |= known & (past.last[row] < first_used) & bool(interleaved)
    return licensed


def _hindsight(view: PerPosition, earlier: Sequence[ScoredPass]) -> Ints:
    """Positions where the count is the smaller of two earlier scores, each winning often."""
    for i, one in enumerate(earlier):
        for two in earlier[i + 1 :]:
            a, b = (nats_at(run, view.position) for run in (one, two))
            differ = np.abs(a - b) > 1e-3
            best = np.isclose(view.nats, np.fmin(a, b), atol=1e-5) & differ
            wins = [(best & (a < b)).mean(), (best & (b < a)).mean()] if len(best) else [0.0]
            if min(wins) >= HINDSIGHT_SHARE and best.sum() >= 0.99 * differ.sum():
                return view.position[best]
    return np.empty(0, np.int64)


def changed_while_scored(
    batches: Ints,  # (b, 2) first and last event of each scored batch
    changes: Ints,  # (c,) events at which the weights changed
) -> Ints:
    """Rows of `batches` with a change strictly inside (ORDER-7)."""
    ordered = np.sort(changes)
    inside = np.searchsorted(ordered, batches[:, 1]) - np.searchsorted(
        ordered, batches[:, 0], side="right"
    )
    return np.flatnonzero(inside > 0)


def check_weights_still(batches: Ints, changes: Ints) -> Finding:
    """ORDER-7: `changes` are writes that no optimiser made. A step between the forward that fixed
    the scores and their sum is legal (scores kept, added up at the end) and is none.
    """
    moved = changed_while_scored(batches, changes)
    text = f"no weight was written by hand while one of {len(batches):,} batches was scored"
    if not len(moved):
        return Finding("ORDER-7", Status.PASS, Level.INSTRUMENTED, text, powered=True)
    first = batches[moved[0]]
    text = (
        f"weights were written by hand between the forward and the count of {len(moved):,} of"
        f" {len(batches):,} batches: a reset of adapters, or an update that no optimiser made"
    )
    numbers = {"batches": len(moved), "first_event": int(first[0]), "counted_event": int(first[1])}
    return Finding("ORDER-7", Status.UNKNOWN, Level.INSTRUMENTED, text, evidence=(numbers,))


PASSED = {
    "ORDER-1": "all {n} scores were fixed before any update inside the pass used their token",
    "ORDER-2": "no training step before the scored pass used any of its {n} tokens",
    "CAUSAL-3": "no transient tensor was optimised on any of {n} tokens before its score was fixed",
    "PASS-1": "none of {n} tokens was scored again differently, or after it was learned from",
    "PASS-2": "no score of {n} was chosen as the better of two earlier ones",
    "PASS-3": "{n} of {expected} targets were scored; at most an incomplete sequence is left out",
}
RULES = tuple(PASSED)


def check_order(view: OrderView | None) -> tuple[Finding, ...]:
    """One status a rule, instrumented: pass or unknown."""
    if view is None:
        return tuple(Finding(r, Status.UNKNOWN, Level.INSTRUMENTED, NOT_REBUILT) for r in RULES)
    broken = {b.rule: b for b in sorted(view.breaks, key=lambda b: len(b.positions))}
    return tuple(_status(rule, broken.get(rule), view) for rule in RULES)


def _status(rule: str, found: OrderBreak | None, view: OrderView) -> Finding:
    if found is None:
        text = PASSED[rule].format(n=f"{view.scored:,}", expected=f"{view.expected:,}")
        return Finding(rule, Status.PASS, Level.INSTRUMENTED, text, powered=True)
    text = (
        f"{len(found.positions):,} tokens were {found.what}; the first is at position {found.first}"
    )
    numbers = {
        "positions": len(found.positions),
        "first_position": found.first,
        "counted": view.scored,
        "expected": view.expected,
    }
    return Finding(rule, Status.UNKNOWN, Level.INSTRUMENTED, text, evidence=(numbers,))
