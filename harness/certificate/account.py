"""The account of a ledger: everything that a certificate says in numbers, worked out from the files
alone. Whoever has the ledger works out the same.

Guarantees: one pass over the scores (a second one over those of tokens that were scored twice);
memory is one part of the ledger, its events, and one byte a position of the stream. The meaning of
each class of early use is that of `checks.order`. Does not cover: whether the ledger is true.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.arrays import Bools, Ints
from harness.certificate.first_uses import FirstUses, RankClocks
from harness.certificate.ledger import Ledger
from harness.checks.order import changed_while_scored
from harness.protocol.schema import EventKind
from harness.tolerances import MOVE_NATS
from harness.trace.reader import Capture, Column
from harness.trace.uses import INTERLEAVED, NEVER

ONCE, AGAIN = 1, 2  # what is known of a position, as bits
# An update had used it before its score was fixed: inside the pass or before it; its weights were
# others behind that, or no trace of the use was left in them. The last two: by uses inside alone.
INSIDE, INSIDE_NO_TRACE, BEFORE, BEFORE_NO_TRACE, TURNS, TURNS_NO_TRACE = 4, 8, 16, 32, 64, 128
MOST_AGAIN = 1 << 22  # scores of tokens that were scored twice, which are looked at


@dataclass(frozen=True)
class Scope:
    """What the ledger is held against."""

    targets: int  # of the stream
    tail: int  # of them, that an incomplete sequence at the end may leave out


@dataclass(frozen=True)
class EarlyUse:
    """Tokens that were learned from before their score was fixed."""

    tokens: int
    first: int | None  # position


@dataclass(frozen=True)
class Account:
    """All numbers."""

    scores: int  # rows
    tokens: int  # positions that have a score
    left_out: int  # targets without one, before the tail
    first_left_out: int | None
    in_tail: int  # targets without one, in the tail
    scattered: int  # of those that were left out, with one behind them: no end was cut off
    unequal: int  # tokens that were scored again, otherwise
    nats: float  # sum of weight times nats
    weight: float  # sum of weights
    n_bytes: int  # canonical, of the tokens
    weighted_bytes: float  # the same, by weight
    all_bytes: int  # of all scores
    modes: Mapping[str, int]  # scores by the mode in which they were computed
    fingerprinted: int  # scores behind weights whose fingerprint was taken
    written: int  # batches between whose forward and count a weight was written by hand
    batches: int
    best_of: int  # batches of whose scores the best of several was taken
    width: int  # entries of the softmax that every score is the cross-entropy of; 0: not all are
    used_inside: EarlyUse  # ORDER-1
    used_before: EarlyUse  # ORDER-2
    used_no_trace: EarlyUse  # CAUSAL-3: nothing of it is left in the weights, or it was transient
    not_placed: int  # scores of which no forward is known: when they were computed is open
    ordered: bool  # ranks exchanged as often as each other: uses of one are held against others
    rows: int  # whole distributions that were seen
    worst_mass: float | None  # the sum of one, furthest from one
    rows_unlike: int  # of these, where the score that counted is not the row's own entry
    training_s: float  # from the first gradient to the last step before the pass
    evaluation_s: float  # from there, or from the last file that was saved before it, to the number

    @property
    def mean(self) -> float:
        """Nats a token, as it was printed."""
        return self.nats / self.weight if self.weight else float("nan")

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def account(ledger: Ledger, scope: Scope) -> Account:
    """Raises BrokenLedger."""
    return Accounting(ledger, scope).made()


class Accounting:
    """Reads the scores of a ledger once; `made` comes first."""

    def __init__(self, ledger: Ledger, scope: Scope) -> None:
        self.ledger, self.scope = ledger, scope
        self.capture = capture = ledger.capture()
        self.state = np.zeros(scope.targets + 1, np.uint8)
        count = len(capture.kind)
        self.tokens = np.zeros(count, np.int64)  # of each event
        self.nats = self.weight = self.weighted_bytes = 0.0
        self.n_bytes = self.all_bytes = self.scores = 0
        fixed = np.where(capture.loss >= 0, capture.loss, np.arange(count))
        self.fixed: Ints = fixed  # (E,) the forward behind each sum
        self.seen = _first_seen(capture)
        self.clocks = RankClocks.of(capture)
        self.uses: list[tuple[int, FirstUses, FirstUses]] = []  # of each rank: all, and in the pass
        self.row_of, self.row_nats = self._kept_rows()

    def made(self) -> Account:
        """Raises BrokenLedger."""
        begin = self._begin()
        self.begin = begin
        for rank in np.unique(self.capture.rank).tolist():
            every, inside = (FirstUses(self.capture, since, rank) for since in (0, begin))
            self.uses.append((rank, every, inside))
        for part in self.ledger.scores(len(self.capture.kind)):
            if len(part["event"]):
                self._add(part)
        return self._account()

    def _begin(self) -> int:
        """The forward that fixed the first score."""
        first = NEVER
        for part in self.ledger.scores(len(self.capture.kind), ["event"]):
            events = np.unique(part["event"])
            first = min(first, int(self.fixed[events].min(initial=NEVER)))
        return first

    def _add(self, part: Mapping[str, Column]) -> None:
        event, position = part["event"], part["position"]
        low = int(event.min())
        added = np.bincount(event - low)
        self.tokens[low : low + len(added)] += added
        self.scores += len(event)
        self.nats += float((part["nats"] * part["weight"]).sum())
        self.weight += float(part["weight"].sum())
        self.weighted_bytes += float((part["n_bytes"] * part["weight"]).sum())
        self.all_bytes += int(part["n_bytes"].sum())
        new = self._first_time(position)
        self.n_bytes += int(part["n_bytes"][new].sum())
        self._early(event, position)
        if len(self.row_of):
            self._beside_rows(part)

    def _first_time(self, position: Ints) -> Bools:
        """(n,) rows that are the first of their position; marks the positions."""
        known = (self.state[position] & ONCE) != 0
        new = ~known
        if not (np.diff(position) > 0).all():
            new &= np.isin(np.arange(len(position)), np.unique(position, return_index=True)[1])
        self.state[position] |= ONCE
        again = position[~new]
        self.state[again] |= AGAIN
        return np.asarray(new)

    def _early(self, event: Ints, position: Ints) -> None:
        """Marks positions that had been used; of scores whose forward is known."""
        placed = self.capture.loss[event] >= 0
        fixed, position = self.fixed[event[placed]], position[placed]
        for rank, every, inside in self.uses:
            for uses, turns in ((every, False), (inside, True)):
                used = uses.of(position)
                early = self.clocks.is_known(used, fixed, rank)
                if early.any():
                    self._mark(used[early], fixed[early], position[early], turns)

    def _mark(self, used: Ints, fixed: Ints, position: Ints, turns: bool) -> None:
        """`used`: (n,) by which update; `turns`: by uses inside the pass alone."""
        no_trace = self.capture.transient[used].astype(bool) | (self.seen[fixed] < used)
        within = used >= self.begin
        for mask, bits in (
            (within, (TURNS, TURNS_NO_TRACE) if turns else (INSIDE, INSIDE_NO_TRACE)),
            (~within, (BEFORE, BEFORE_NO_TRACE)),
        ):
            self.state[position[mask & ~no_trace]] |= bits[0]
            self.state[position[mask & no_trace]] |= bits[1]

    def _kept_rows(self) -> tuple[Ints, npt.NDArray[np.float64]]:
        """Positions of whole distributions, sorted, and what they give their target."""
        rows = self.capture.rows
        order = np.argsort(rows.position, kind="stable")
        nats = [-float(log_p[t]) for log_p, t in zip(rows.log_p, rows.target, strict=True)]
        self.rows_unlike = 0
        self._like: set[int] = set()
        return rows.position[order].astype(np.int64), np.array(nats)[order]

    def _beside_rows(self, part: Mapping[str, Column]) -> None:
        """Notes positions whose score is the entry of one of their rows."""
        here = np.flatnonzero(np.isin(part["position"], self.row_of))
        for position, nats in zip(part["position"][here], part["nats"][here], strict=True):
            low, high = np.searchsorted(self.row_of, [position, position + 1])
            if (np.abs(self.row_nats[low:high] - nats) <= MOVE_NATS).any():
                self._like.add(int(position))

    def _account(self) -> Account:
        state, scope, early = self.state[1:], self.scope, self._early_of()
        training_s, evaluation_s = self._phases()
        end = scope.targets - scope.tail
        missing = np.flatnonzero((state[:end] & ONCE) == 0) + 1
        events = np.flatnonzero(self.tokens)
        fixed, tokens = self.fixed[events], self.tokens[events]
        capture = self.capture
        batches = _batches(capture, events, self.fixed)
        masses = [float(np.exp(log_p.astype(np.float64)).sum()) for log_p in capture.rows.log_p]
        scored = np.unique(self.row_of[np.isin(self.row_of, np.flatnonzero(self.state & ONCE))])
        widths = capture.softmax_width[events]
        inference, grad = capture.inference_mode[fixed], capture.grad_mode[fixed]
        return Account(
            scores=self.scores,
            tokens=int(np.count_nonzero(state & ONCE)),
            left_out=len(missing),
            first_left_out=int(missing[0]) if len(missing) else None,
            in_tail=int(np.count_nonzero((state[end:] & ONCE) == 0)),
            scattered=int(np.count_nonzero(missing < self._last())),
            unequal=self._unequal(),
            nats=self.nats,
            weight=self.weight,
            n_bytes=self.n_bytes,
            weighted_bytes=self.weighted_bytes,
            all_bytes=self.all_bytes,
            modes={
                "inference_mode": int(tokens[inference].sum()),
                "no_grad": int(tokens[~inference & ~grad].sum()),
                "gradients": int(tokens[~inference & grad].sum()),
            },
            fingerprinted=int(tokens[capture.weights[fixed] != 0].sum()),
            written=self._written(batches),
            batches=len(batches),
            best_of=len(
                np.intersect1d(batches[:, 0], capture.loss[capture.events(EventKind.BEST)])
            ),
            width=int(widths.min()) if len(widths) else 0,
            used_inside=_early_use(early["used_inside"]),
            used_before=_early_use(early["used_before"]),
            used_no_trace=_early_use(early["used_no_trace"]),
            not_placed=int(tokens[capture.loss[events] < 0].sum()),
            ordered=self.clocks.ordered,
            rows=len(masses),
            worst_mass=max(masses, key=lambda mass: abs(mass - 1.0), default=None),
            rows_unlike=int(len(scored) - len(self._like)),
            training_s=training_s,
            evaluation_s=evaluation_s,
        )

    def _last(self) -> int:
        """The last position that has a score."""
        return int(np.flatnonzero(self.state & ONCE).max(initial=0))

    def _written(self, batches: Ints) -> int:
        """Batches during which their own rank wrote weights by hand."""
        rank, writes = self.capture.rank, self.capture.events(EventKind.WRITE)
        return sum(
            len(
                changed_while_scored(
                    batches[rank[batches[:, 0]] == one], writes[rank[writes] == one]
                )
            )
            for one in np.unique(rank)
        )

    def early_positions(self) -> dict[str, Ints]:
        """Sorted positions of each class of early use, by its name in `Account`."""
        return {name: np.flatnonzero(of) + 1 for name, of in self._early_of().items()}

    def _early_of(self) -> dict[str, Bools]:
        """(targets,) each, the first of them position 1. As `checks.order` tells them apart: where
        uses and scores take turns, those inside count; and then what came before the first score
        belongs to the first turn.
        """
        state = self.state[1:]

        def has(bits: int) -> Bools:
            return np.asarray((state & bits) != 0)

        tokens = max(int(np.count_nonzero(state & ONCE)), 1)
        inside, inside_no = has(INSIDE), has(INSIDE_NO_TRACE)
        before = has(BEFORE)
        if np.count_nonzero(has(TURNS | TURNS_NO_TRACE)) >= INTERLEAVED * tokens:
            inside, inside_no = has(TURNS), has(TURNS_NO_TRACE)
            before = before & ~inside & ~inside_no
        early = np.count_nonzero(inside | inside_no | before)
        if early and np.count_nonzero(inside | inside_no) >= INTERLEAVED * early:
            inside, before = inside | before, np.zeros_like(before)
        return {"used_inside": inside, "used_before": before, "used_no_trace": inside_no}

    def _unequal(self) -> int:
        """Tokens scored in several sums whose scores differ; not in the tail, where windows that
        the end cuts short overlap.
        """
        wanted = (self.state & AGAIN) != 0
        wanted[self.scope.targets + 1 - self.scope.tail :] = False
        if not wanted.any():
            return 0
        held: list[tuple[Ints, Ints, npt.NDArray[np.float64]]] = []
        count = 0
        for part in self.ledger.scores(len(self.capture.kind)):
            kept = wanted[part["position"]]
            held.append((part["position"][kept], part["event"][kept], part["nats"][kept]))
            count += int(kept.sum())
            if count > MOST_AGAIN:
                break
        position, event, nats = (np.concatenate(columns) for columns in zip(*held, strict=True))
        return len(np.unique(_differ(position, event, nats)))

    def _phases(self) -> tuple[float, float]:
        """Seconds of the training and of the evaluation, by the clock of the run."""
        capture, begin = self.capture, self.begin
        if not self.scores:
            return 0.0, 0.0
        at_s, kind = capture.at_s, capture.kind[:begin]
        steps, saves = (np.flatnonzero(kind == k) for k in (EventKind.STEP, EventKind.SAVE))
        trains = np.isin(kind, (EventKind.GRADIENT, EventKind.BACKWARD, EventKind.STEP))
        trained = at_s[steps[-1]] if len(steps) else at_s[0]
        first = at_s[np.flatnonzero(trains)[0]] if len(steps) else trained
        ready = max(trained, at_s[saves[-1]]) if len(saves) else trained
        prints = capture.events(EventKind.PRINT)
        ended = prints[prints > np.flatnonzero(self.tokens).max()]
        end = at_s[ended[0] if len(ended) else -1]
        return float(trained - first), float(end - ready)


def _differ(position: Ints, event: Ints, nats: npt.NDArray[np.float64]) -> Ints:
    """Positions with two scores of different sums that are not alike."""
    order = np.argsort(position, kind="stable")
    position, event, nats = position[order], event[order], nats[order]
    start = np.flatnonzero(np.append(True, position[1:] != position[:-1]))
    high, low = (how.reduceat(nats, start) for how in (np.maximum, np.minimum))
    last, first = (how.reduceat(event, start) for how in (np.maximum, np.minimum))
    return np.asarray(position[start[(high - low > 2 * MOVE_NATS) & (last != first)]])


def _early_use(of: Bools) -> EarlyUse:
    """`of`: (targets,), the first of them position 1."""
    places = np.flatnonzero(of)
    return EarlyUse(len(places), int(places[0]) + 1 if len(places) else None)


def _first_seen(capture: Capture) -> Ints:
    """(E,) event at which the weights of each were first seen; NEVER: not known."""
    _, first, inverse = np.unique(capture.weights, return_index=True, return_inverse=True)
    return np.where(capture.weights != 0, first[inverse], NEVER)


def _batches(capture: Capture, events: Ints, fixed: Ints) -> Ints:
    """(b, 2) events: the forward that fixed scores, the last sum that counted them."""
    forwards, row = np.unique(fixed[events], return_inverse=True)
    last = np.zeros(len(forwards), np.int64)
    np.maximum.at(last, row, events)
    return np.stack([forwards, last], axis=1)
