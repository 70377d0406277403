"""CAUSAL-7 by another future under two ranks: no rank knows what none had scored by then.

A score may depend on what stands before it, whichever rank scores that, and on what was scored
before it, wherever it stands. So the cut has a place and an epoch: tokens change that stand behind
the place and that no rank had scored before the epoch; scores in front of the place, fixed in that
epoch or earlier, may not move. In the epoch itself ranks work side by side: what another one scores
there is as unknown as what it scores later.

Decides as `checks/future` does: two runs bit-identical, and a move that a second seed repeats.
Does not cover: leaks through what no hook saw being exchanged, which leave the rule *unknown*.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.arrays import Ints
from harness.checks.cut import Cut
from harness.checks.future import FutureChange, compare
from harness.checks.status import Finding, Level, Status
from harness.trace.ranks import RankOrder, rank_order
from harness.trace.reconstruct import Pass
from harness.trace.script_run import ScriptRun

RULE = "CAUSAL-7"
MOST_EPOCHS = 65  # candidates


@dataclass(frozen=True)
class RankCut:
    """Two sides: what changes, and what must not."""

    epoch: int
    changed: Ints  # (f,) positions
    compared: Ints  # (c,) positions, all in front of those

    def holds_for(self, order: RankOrder) -> Ints:
        """(c,) compared positions that, in this run, were scored before every changed one that
        their own rank scored.
        """
        changed = np.isin(order.position, self.changed)
        if (order.epoch[changed] < self.epoch).any():
            return np.empty(0, np.int64)
        before = (order.epoch <= self.epoch) & ~changed
        for rank in np.unique(order.rank):
            mine = order.rank == rank
            begun = order.event[changed & mine & (order.epoch == self.epoch)]
            if len(begun):
                before &= ~(mine & (order.epoch == self.epoch) & (order.event > begun.min()))
        return np.intersect1d(self.compared, order.positions(before))


@dataclass(frozen=True)
class RankChange:
    """What several ranks showed."""

    ranks: int
    exchanged: int  # times between the first score and the last
    future: FutureChange | None  # None: nothing was exchanged that could have told of later tokens

    @property
    def says(self) -> bool:
        """Whether there is a status: a faint move, or runs that differ, are none."""
        future = self.future
        return future is None or future.status is not Status.UNKNOWN or bool(len(future.moved))

    @property
    def moved(self) -> bool:
        """Scores know tokens that no rank had scored, by an exchange that was seen."""
        return self.future is not None and self.future.status is Status.FAIL


def choose_rank_cut(order: RankOrder) -> RankCut | None:
    """The cut with most on its smaller side, at an epoch in which several ranks score."""
    epochs = np.unique(order.epoch)
    if len(epochs) > MOST_EPOCHS:
        epochs = epochs[np.linspace(0, len(epochs) - 1, MOST_EPOCHS).astype(int)]
    found = [cut for epoch in epochs.tolist() for cut in _cuts(order, epoch)]
    return max(found, key=lambda cut: _worth(cut, order), default=None)


def _cuts(order: RankOrder, epoch: int) -> list[RankCut]:
    """In the middle of what each rank scored in the epoch."""
    cuts = []
    for rank in np.unique(order.rank):
        mine = np.unique(order.position[(order.rank == rank) & (order.epoch == epoch)])
        if not len(mine):
            continue
        place = int(mine[len(mine) // 2])
        changed = order.positions((order.position >= place) & (order.epoch >= epoch))
        front = order.positions((order.position < place) & (order.epoch <= epoch))
        if len(changed):
            cut = RankCut(epoch, changed, front)
            cuts.append(replace(cut, compared=cut.holds_for(order)))
    return cuts


def _worth(cut: RankCut, order: RankOrder) -> tuple[bool, int]:
    """Ranks on both sides of the epoch, and how much there is on the smaller side."""
    here = order.epoch == cut.epoch
    fixed = set(order.rank[here & np.isin(order.position, cut.compared)].tolist())
    later = set(order.rank[here & np.isin(order.position, cut.changed)].tolist())
    side_by_side = bool(fixed) and bool(later - fixed)
    return side_by_side, min(len(cut.compared), len(cut.changed))


def compare_ranks(
    base: ScriptRun,
    repeats: Sequence[ScriptRun],  # identical runs; the base run itself where nothing moved
    futures: Sequence[tuple[int, ScriptRun]],  # seed of the change, its run
    cut: RankCut,
) -> FutureChange | None:
    """None where a run was not rebuilt, or its ranks cannot be ordered."""
    compared = cut.compared
    for run in (base, *repeats, *(run for _, run in futures)):
        order = rank_order(run)
        if order is None:
            return None
        compared = np.intersect1d(compared, cut.holds_for(order))
    sides = Cut(cut.changed, compared, {})
    return compare(
        _timeless(base),
        [_timeless(run) for run in repeats],
        [(seed, _timeless(run)) for seed, run in futures],
        sides,
    )


def _timeless(run: ScriptRun) -> Pass:
    """Without the order of events, which the clock decides between ranks."""
    assert run.scored is not None
    return replace(run.scored, event=np.zeros_like(run.scored.event))


def check_ranks(found: RankChange | None) -> Finding | None:
    """None where it was not examined."""
    if found is None or not found.says:
        return None
    if found.future is None:
        text = (
            f"with {found.ranks} ranks, nothing was exchanged between the first score and the last"
        )
        return Finding(RULE, Status.PASS, Level.INSTRUMENTED, text, powered=True)
    change = found.future
    text = (
        f"with {found.ranks} ranks, replacing tokens that no rank had scored changed"
        f" {len(change.moved):,} of {change.compared:,} scores"
    )
    text = ", ".join(part for part in (text, change.reason, change.doubt) if part)
    detail = f"between the first score and the last, ranks exchanged {found.exchanged:,} times"
    return Finding(RULE, change.status, Level.BLACK_BOX, text, (change.as_json(),), detail=detail)
