"""CAUSAL-1 on an unmodified script: the past does not know the future.

Tokens that are scored later, and stand later, are changed (`cut`), and scores that were fixed
before are compared. Length and boundaries stay.

Decides: two identical runs bit-identical, then a move above 1e-3 nats that a second seed repeats,
at any compared position: a sparse leak shows where the changed tokens happen to meet. Otherwise
five identical runs give a band, and ten times its maximum counts, on two seeds. Anything else is
*unknown*, and so are moves to the same other scores under each future, unless the source was
beaten. Does not cover: leaks inside the changed half, and those shorter than the cut.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.arrays import Bools, Floats, Ints
from harness.checks.cut import Cut, Edge
from harness.checks.status import Finding, Level, Status
from harness.tolerances import BAND_RUNS, BAND_TIMES, MOVE_NATS
from harness.trace.scored_positions import ScoredPass, nats_at, per_position

STILL_NATS = 1e-5  # some twenty float32 roundings near 7 nats
AGREED = 0.5  # of the moved scores
FEWEST = 32  # compared positions below which "nothing moved" says nothing
FEW_LATE = 8  # scores that moved, behind those that stood still
FEWEST_STILL = 64  # scores in front of all that moved, to the bit


@dataclass(frozen=True)
class EdgeCount:
    """Positions of one edge."""

    compared: int
    moved: int


@dataclass(frozen=True)
class Counterexample:
    """The position that moved most under the seed that moved it least, and its scores, nats."""

    position: int
    nats: float
    first_changed: int | None  # the next changed position behind it; None: none stands behind
    nats_changed: Mapping[int, float]  # seed of the change -> the score under it

    def as_json(self) -> dict[str, float | int | None]:
        """The keys that report.json has published."""
        return {
            "position": self.position,
            "nats": self.nats,
            "first_flipped": self.first_changed,
            **{f"nats_flip_{seed}": nats for seed, nats in self.nats_changed.items()},
        }


@dataclass(frozen=True)
class FutureChange:
    """What moved."""

    status: Status
    compared: int
    reason: str
    threshold_nats: float | None  # None: no repeat, or a band of too few runs
    largest_nats: float  # largest move of any compared score, any seed
    moved: Ints  # positions beyond the threshold: under every seed, or where none is, under any
    by_edge: Mapping[Edge, EdgeCount]
    counterexample: Counterexample | None  # None: nothing moved at all
    needs_second_seed: bool = False
    agreed: float = 0.0  # of the moved, where all futures gave the same score to the bit
    doubt: str = ""  # why what moved proves nothing
    still: int = 0  # compared positions that stand before all whose score is another, by any bit
    touched: int = 0  # positions of those

    @property
    def sparse(self) -> bool:
        """A few of the latest scores alone: a choice of a model moves all that it scores."""
        few = max(FEW_LATE, (self.compared - self.still) / 4)
        return self.still >= max(FEWEST_STILL, self.compared / 2) and self.touched <= few

    @property
    def faint(self) -> bool:
        """Something moved, by too little to count or under one future alone."""
        judged = self.threshold_nats is not None and self.status is Status.UNKNOWN
        return judged and not self.doubt and self.largest_nats > STILL_NATS

    @property
    def nothing_moved(self) -> bool:
        """Scores were seen not to depend on later tokens."""
        return self.status is Status.PASS

    def as_json(self) -> dict[str, Any]:
        """The keys that report.json has published."""
        return {
            "compared": self.compared,
            "moved": len(self.moved),
            "largest_nats": self.largest_nats,
            "threshold_nats": self.threshold_nats,
            "edges": {edge.value: [n.compared, n.moved] for edge, n in self.by_edge.items()},
            **(self.counterexample.as_json() if self.counterexample else {}),
        }


def downgrade_if_model_selection(result: FutureChange) -> FutureChange:
    """For a claim that beats no source: what moved may have been a choice.

    #754 evaluates raw and averaged weights on the validation stream and counts the better: every
    score moves, and under each later future to the same other one. A choice among k models is worth
    ln k nats in all. What was computed from later tokens differs with them (0 % agreed in each of
    eight illegal scripts that another future alone flags; 99 % here). Counts of later tokens come
    out alike where both futures lack a token; no choice of a model leaves nearly all scores alone.
    """
    if result.status is not Status.FAIL or result.agreed <= AGREED or result.sparse:
        return result
    doubt = (
        f"to the same other scores ({result.agreed:.0%} to the bit): a choice among a few models"
        " may do so, and saves the logarithm of their number"
    )
    return replace(result, status=Status.UNKNOWN, doubt=doubt)


def compare(
    base: ScoredPass,
    repeats: Sequence[ScoredPass],  # identical runs
    futures: Sequence[tuple[int, ScoredPass]],  # seed of the change, its run
    cut: Cut,
) -> FutureChange:
    """Judges the scores on the compared side."""
    was, again = nats_at(base, cut.compared), [nats_at(r, cut.compared) for r in repeats]
    now = [nats_at(run, cut.compared) for _, run in futures]
    if problem := _incomparable(base, was, again, [run for _, run in futures], now, cut):
        return _result(Status.UNKNOWN, problem, cut, None, was, futures, now)
    threshold = _threshold(was, again)
    if threshold is None:
        reason = f"{len(repeats)} repeats, not bit-identical: no band without {BAND_RUNS} runs"
        return _result(Status.UNKNOWN, reason, cut, None, was, futures, now)
    largest = max(float(np.abs(x - was).max()) for x in now)
    noise = max((float(np.abs(r - was).max()) for r in again), default=0.0)
    repeated = (np.abs(np.stack(now) - was) > threshold).any(axis=1).all()
    if repeated and len(futures) > 1:
        reason = "under two seeds"
        return _result(Status.FAIL, reason, cut, threshold, was, futures, now)
    if largest > max(STILL_NATS, noise):
        reason = "a move below the threshold, or one that a second seed did not repeat"
        if repeated:
            reason = "under one seed: the run under a second one did not come to its end"
        return _result(Status.UNKNOWN, reason, cut, threshold, was, futures, now)
    if len(cut.compared) < FEWEST:
        reason = f"only {len(cut.compared)} scores could be compared"
        return _result(Status.UNKNOWN, reason, cut, threshold, was, futures, now)
    return _result(Status.PASS, "", cut, threshold, was, futures, now)


def _incomparable(
    base: ScoredPass,
    was: Floats,
    again: list[Floats],
    futures: list[ScoredPass],
    now: list[Floats],
    cut: Cut,
) -> str:
    """Why nothing can be said, or nothing."""
    if not len(cut.compared) or not futures:
        return "nothing to compare"
    if not all(np.isfinite(x).all() for x in [was, *again, *now]):
        return "other positions were scored, or scores are not finite"
    if not all(np.array_equal(_order(base, cut), _order(run, cut)) for run in futures):
        return "the order of scoring changed with the tokens"
    return ""


def _order(scored: ScoredPass, cut: Cut) -> Ints:
    """(c,) rank of the scoring step of each compared position."""
    view = per_position(scored)
    steps = view.last[np.isin(view.position, cut.compared)]
    return np.unique(steps, return_inverse=True)[1]


def _threshold(was: Floats, again: list[Floats]) -> float | None:
    """What counts as a move, nats."""
    if again and all(np.array_equal(was, r) for r in again):
        return MOVE_NATS
    if len(again) + 1 < BAND_RUNS:
        return None
    return max(MOVE_NATS, BAND_TIMES * max(float(np.abs(r - was).max()) for r in again))


def _result(
    status: Status,
    reason: str,
    cut: Cut,
    threshold: float | None,
    was: Floats,
    futures: Sequence[tuple[int, ScoredPass]],
    now: list[Floats],
) -> FutureChange:
    moves = np.array([np.abs(x - was) for x in now]).reshape(len(now), len(was))
    moves = np.where(np.isfinite(moves), moves, 0.0)
    every: Bools = np.zeros(len(was), bool)
    if threshold is not None and len(now):
        beyond = moves > threshold
        always = np.asarray(beyond.all(axis=0))
        every = always if always.any() else np.asarray(beyond.any(axis=0))
    moved = cut.compared[every]
    edges = {e: EdgeCount(len(p), int(np.isin(p, moved).sum())) for e, p in cut.edges.items()}
    touched = cut.compared[(moves > 0).any(axis=0)]
    alike = np.ptp(np.stack(now)[:, every], axis=0) == 0 if len(now) > 1 else np.zeros(0, bool)
    return FutureChange(
        status,
        len(cut.compared),
        reason,
        threshold,
        float(moves.max(initial=0.0)),
        moved,
        edges,
        _counterexample(cut, was, futures, now, moves),
        needs_second_seed=bool(every.any()) and len(futures) == 1,
        agreed=float(alike.mean()) if alike.size else 0.0,
        still=int((cut.compared < touched.min(initial=int(cut.compared.max(initial=0)) + 1)).sum()),
        touched=len(touched),
    )


def _counterexample(
    cut: Cut,
    was: Floats,
    futures: Sequence[tuple[int, ScoredPass]],
    now: list[Floats],
    moves: Floats,
) -> Counterexample | None:
    if not moves.size or not moves.any():
        return None
    at = int(moves.min(axis=0).argmax()) if moves.min(axis=0).any() else int(moves.max(0).argmax())
    later = cut.changed[cut.changed > cut.compared[at]]
    return Counterexample(
        int(cut.compared[at]),
        float(was[at]),
        int(later[0]) if len(later) else None,
        {seed: float(scores[at]) for (seed, _), scores in zip(futures, now, strict=True)},
    )


def check_future(result: FutureChange, rule: str = "CAUSAL-1") -> Finding:
    """The status of the rule that a move breaks; `rule`: as named with the ledger's help."""
    text, detail = _text(result)
    return Finding(rule, result.status, Level.BLACK_BOX, text, (result.as_json(),), detail=detail)


def _text(result: FutureChange) -> tuple[str, str]:
    """The sentence, and the numbers behind it."""
    if result.threshold_nats is None:
        return f"{result.reason} (the largest difference is {result.largest_nats:.3g} nats)", ""
    parts = [
        f"replacing later tokens changed {len(result.moved):,} of {result.compared:,} earlier"
        " scores",
        result.reason,
        result.doubt,
    ]
    edges = ", ".join(f"{e}: {n.moved} of {n.compared}" for e, n in result.by_edge.items())
    details = [f"changed by what lies between: {edges}"] if edges else []
    if result.moved.size and (shown := result.counterexample):
        then = ", ".join(f"{nats:.6f}" for nats in shown.nats_changed.values())
        details.append(f"position {shown.position}: {shown.nats:.6f} nats, then {then}")
    return ", ".join(part for part in parts if part), "; ".join(details)
