"""CAUSAL-1 on an unmodified script: the past does not know the future.

A cut flips tokens that are scored later and compares scores that were fixed before. *Later* must
hold in both readings of the law at once, so that no legal script is accused:

    order of scoring   adaptation may use what was scored, wherever it stands (length-sorted
                       documents, phases)
    place in stream    context may hold what stands earlier, whenever it is scored (shuffled
                       windows, ranks)

In the middle event (a batch) the positions from its median on are flipped, so window, batch, chunk,
document and phase edges all lie between the two sides; where the order is unknown, the two sides
share one document. Length and boundaries stay.

Decides: two identical runs bit-identical, then a move above 1e-3 nats that a second seed repeats,
at any compared position: a sparse leak shows where the flipped tokens happen to meet. Otherwise
five identical runs give a band, and ten times its maximum counts, on two seeds. Anything else is
*unknown*, and so are moves to the same other scores under each flip (`unless_chosen`), unless the
source was beaten. Does not cover: leaks inside the flipped half, and those shorter than the cut.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from harness.arrays import Floats, Ints
from harness.checks.status import Level, RuleStatus, Status
from harness.trace.scored_positions import Counted, PerPosition, nats_at, per_position

MOVE_NATS = 1e-3  # design section 2, fact 2
STILL_NATS = 1e-5  # some twenty float32 roundings near 7 nats
N_BAND = 5  # identical runs that give a band
BAND_TIMES = 10
AGREED = 0.5  # of the moved scores
FEWEST = 32  # compared positions below which "nothing moved" says nothing
MOST_EVENTS = 257  # candidates for the middle


@dataclass(frozen=True)
class Cut:
    """Two sides: what changes, and what must not."""

    flipped: Ints  # (f,) positions whose tokens change
    compared: Ints  # (c,) positions scored before all of them, and standing before all of them
    edges: Mapping[str, Ints]  # the compared positions by what lies between them and a flipped one


@dataclass(frozen=True)
class FlipResult:
    """What moved."""

    status: Status
    compared: int
    reason: str
    threshold_nats: float | None  # None: no repeat, or a band of too few runs
    largest_nats: float  # largest move of any compared score, any seed
    moved: Ints  # positions beyond the threshold: under every seed, or where none is, under any
    by_edge: Mapping[str, tuple[int, int]]  # edge -> (compared, moved)
    counterexample: Mapping[str, float | int | None]
    needs_second_seed: bool = False
    agreed: float = 0.0  # of the moved, where all flips gave the same score to the bit

    @property
    def proves_still(self) -> bool:
        """Scores were seen not to depend on later tokens."""
        return self.status is Status.PASS


def unless_chosen(result: FlipResult) -> FlipResult:
    """For a claim that beats no source: what moved may have been a choice.

    #754 evaluates raw and averaged weights on the validation stream and counts the better: every
    score moves, and under each later future to the same other one. A choice among k models is worth
    ln k nats in all. What was computed from later tokens differs with them (0 % agreed in each of
    eight illegal scripts that the flip alone convicts; 99 % here).
    """
    if result.status is not Status.FAIL or result.agreed <= AGREED:
        return result
    reason = (
        f"{result.reason}, to the same other scores ({result.agreed:.0%} to the bit): a choice"
        " among a few models may do so, and saves the logarithm of their number"
    )
    return replace(result, status=Status.UNKNOWN, reason=reason)


def choose_cut(
    counted: Counted,
    starts: Ints,  # (D,) document boundaries
    at: float = 0.5,  # share of the counted tokens before the cut
    order_known: bool = True,
) -> Cut:
    """The cut nearest to `at` that has most on its smaller side."""
    view = per_position(counted)
    document = np.searchsorted(starts, view.position, side="right")
    if not order_known:
        return _inside_a_document(view, document)
    best = max(_middles(view), key=lambda middle: _smaller_side(view, middle, at))
    before, after = _sides(view, best)
    return _cut(view, document, before, after, best[0])


def _middles(view: PerPosition) -> list[tuple[int, int]]:
    """(event, its median position) for candidate events."""
    events = np.unique(view.last)
    if len(events) > MOST_EVENTS:
        events = events[np.linspace(0, len(events) - 1, MOST_EVENTS).astype(int)]
    order = np.argsort(view.last, kind="stable")  # positions stay sorted within an event
    low = np.searchsorted(view.last[order], events)
    high = np.searchsorted(view.last[order], events, side="right")
    # Off the middle, which is where windows and rows of a batch end.
    places = view.position[order[(low + high) // 2 + (high - low) // 10]]
    return [(int(e), int(p)) for e, p in zip(events, places, strict=True)]


def _sides(
    view: PerPosition, middle: tuple[int, int]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Masks over the view's rows: compared, flipped."""
    event, place = middle
    before = (view.last <= event) & (view.position < place)
    after = (view.first >= event) & (view.position >= place)
    return before, after


def _smaller_side(view: PerPosition, middle: tuple[int, int], at: float) -> float:
    before, after = _sides(view, middle)
    return float(min(before.sum() / at, after.sum() / (1 - at)))


def _cut(
    view: PerPosition,
    document: Ints,  # (k,)
    before: npt.NDArray[np.bool_],
    after: npt.NDArray[np.bool_],
    event: int,
) -> Cut:
    same_step = view.last == event
    same_document = np.isin(document, document[after])
    edges = {
        "same step, same document": before & same_step & same_document,
        "same step, other document": before & same_step & ~same_document,
        "earlier step, same document": before & ~same_step & same_document,
        "earlier step, other document": before & ~same_step & ~same_document,
    }
    places = {name: view.position[mask] for name, mask in edges.items() if mask.any()}
    return Cut(view.position[after], view.position[before], places)


def _inside_a_document(view: PerPosition, document: Ints) -> Cut:
    """The longest document's second half against its first."""
    longest = np.bincount(document).argmax()
    rows = np.flatnonzero(document == longest)
    before, after = np.zeros(len(document), bool), np.zeros(len(document), bool)
    before[rows[: len(rows) // 2]] = True
    after[rows[len(rows) // 2 :]] = True
    edge = {"order unknown, same document": view.position[before]}
    return Cut(view.position[after], view.position[before], edge)


def compare(
    base: Counted,
    repeats: Sequence[Counted],  # identical runs
    flips: Sequence[tuple[int, Counted]],  # seed of the flip, its run
    cut: Cut,
) -> FlipResult:
    """Judges the scores on the compared side."""
    was, again = nats_at(base, cut.compared), [nats_at(r, cut.compared) for r in repeats]
    now = [nats_at(run, cut.compared) for _, run in flips]
    if problem := _incomparable(base, was, again, [run for _, run in flips], now, cut):
        return _result(Status.UNKNOWN, problem, cut, None, was, flips, now)
    threshold = _threshold(was, again)
    if threshold is None:
        reason = f"{len(repeats)} repeats, not bit-identical: no band without {N_BAND} runs"
        return _result(Status.UNKNOWN, reason, cut, None, was, flips, now)
    largest = max(float(np.abs(x - was).max()) for x in now)
    noise = max((float(np.abs(r - was).max()) for r in again), default=0.0)
    repeated = (np.abs(np.stack(now) - was) > threshold).any(axis=1).all()
    if repeated and len(flips) > 1:
        reason = "scores fixed before moved with later tokens, under two seeds"
        return _result(Status.FAIL, reason, cut, threshold, was, flips, now)
    if largest > max(STILL_NATS, noise):
        reason = "a move below the threshold or not repeated by a second seed"
        return _result(Status.UNKNOWN, reason, cut, threshold, was, flips, now)
    if len(cut.compared) < FEWEST:
        reason = f"only {len(cut.compared)} scores could be compared"
        return _result(Status.UNKNOWN, reason, cut, threshold, was, flips, now)
    return _result(Status.PASS, "no score moved", cut, threshold, was, flips, now)


def _incomparable(
    base: Counted,
    was: Floats,
    again: list[Floats],
    flips: list[Counted],
    now: list[Floats],
    cut: Cut,
) -> str:
    """Why nothing can be said, or nothing."""
    if not len(cut.compared) or not flips:
        return "nothing to compare"
    if not all(np.isfinite(x).all() for x in [was, *again, *now]):
        return "other positions were counted, or scores are not finite"
    if not all(np.array_equal(_order(base, cut), _order(run, cut)) for run in flips):
        return "the order of scoring changed with the tokens"
    return ""


def _order(counted: Counted, cut: Cut) -> Ints:
    """(c,) rank of the scoring step of each compared position."""
    view = per_position(counted)
    steps = view.last[np.isin(view.position, cut.compared)]
    return np.unique(steps, return_inverse=True)[1]


def _threshold(was: Floats, again: list[Floats]) -> float | None:
    """What counts as a move, nats."""
    if again and all(np.array_equal(was, r) for r in again):
        return MOVE_NATS
    if len(again) + 1 < N_BAND:
        return None
    return max(MOVE_NATS, BAND_TIMES * max(float(np.abs(r - was).max()) for r in again))


def _result(
    status: Status,
    reason: str,
    cut: Cut,
    threshold: float | None,
    was: Floats,
    flips: Sequence[tuple[int, Counted]],
    now: list[Floats],
) -> FlipResult:
    moves = np.array([np.abs(x - was) for x in now]).reshape(len(now), len(was))
    moves = np.where(np.isfinite(moves), moves, 0.0)
    every: npt.NDArray[np.bool_] = np.zeros(len(was), bool)
    if threshold is not None and len(now):
        beyond = moves > threshold
        always = np.asarray(beyond.all(axis=0))
        every = always if always.any() else np.asarray(beyond.any(axis=0))
    moved = cut.compared[every]
    edges = {n: (len(p), int(np.isin(p, moved).sum())) for n, p in cut.edges.items()}
    alike = np.ptp(np.stack(now)[:, every], axis=0) == 0 if len(now) > 1 else np.zeros(0, bool)
    return FlipResult(
        status,
        len(cut.compared),
        reason,
        threshold,
        float(moves.max(initial=0.0)),
        moved,
        edges,
        _counterexample(cut, was, flips, now, moves),
        needs_second_seed=bool(every.any()) and len(flips) == 1,
        agreed=float(alike.mean()) if alike.size else 0.0,
    )


def _counterexample(
    cut: Cut, was: Floats, flips: Sequence[tuple[int, Counted]], now: list[Floats], moves: Floats
) -> dict[str, float | int | None]:
    """The position that moved most under the seed that moved it least, and its numbers."""
    if not moves.size or not moves.any():
        return {}
    at = int(moves.min(axis=0).argmax()) if moves.min(axis=0).any() else int(moves.max(0).argmax())
    later = cut.flipped[cut.flipped > cut.compared[at]]
    shown: dict[str, float | int | None] = {
        "position": int(cut.compared[at]),
        "nats": float(was[at]),
        "first_flipped": int(later[0]) if len(later) else None,
    }
    for (seed, _), scores in zip(flips, now, strict=True):
        shown[f"nats_flip_{seed}"] = float(scores[at])
    return shown


def check_flip(result: FlipResult, rule: str = "CAUSAL-1") -> RuleStatus:
    """The status of the rule that a move breaks; `rule`: as named with the ledger's help."""
    edges = ", ".join(f"{name}: {m} of {n}" for name, (n, m) in result.by_edge.items())
    text = f"{result.reason}; {len(result.moved):,} of {result.compared:,} scores moved ({edges})"
    if result.moved.size:
        shown = result.counterexample
        text += f"; position {shown['position']}: {shown['nats']:.6f} nats, then " + ", ".join(
            f"{value:.6f}" for key, value in shown.items() if key.startswith("nats_flip")
        )
    numbers = {
        "compared": result.compared,
        "moved": len(result.moved),
        "largest_nats": result.largest_nats,
        "threshold_nats": result.threshold_nats,
        "edges": {name: list(pair) for name, pair in result.by_edge.items()},
        **result.counterexample,
    }
    return RuleStatus(rule, result.status, Level.BLACK_BOX, text, findings=(numbers,))
