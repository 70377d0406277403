"""In which order ranks scored, as far as they could know of each other.

Between two exchanges a rank hears nothing of the others, whatever the clock says. So each score has
the number of exchanges that its rank had made before: a token that another rank scored may have
been known to it only if that number is smaller.

Guarantees: rows of the headline's pass alone; None where the ranks did not make as many exchanges
each, so that nothing orders them. Does not cover: exchanges that no hook saw.
"""

from dataclasses import dataclass

import numpy as np

from harness.arrays import Bools, Ints
from harness.protocol.schema import EventKind
from harness.trace.script_run import ScriptRun

SUMS = 16  # numbers that an exchange of totals has at most: losses, tokens, bytes


@dataclass(frozen=True, eq=False)
class RankOrder:
    """One row a score, n rows; a position may come more than once."""

    position: Ints  # (n,)
    rank: Ints  # (n,) that scored it
    event: Ints  # (n,) orders the scores of one rank
    epoch: Ints  # (n,) exchanges of its rank before it
    inside: int  # exchanges between the first and the last score, of the rank that made most
    told_before: bool  # ranks told each other more than sums before it, behind their training

    def positions(self, rows: Bools) -> Ints:
        """(k,) sorted, all of whose scores are among the rows."""
        other = self.position[~rows]
        return np.setdiff1d(self.position[rows], other)


def rank_order(run: ScriptRun) -> RankOrder | None:
    """Of a run with several ranks whose headline was rebuilt."""
    scored, capture = run.scored, run.capture
    if scored is None:
        return None
    counted = scored.weight > 0
    event, position = scored.event[counted], scored.position[counted].astype(np.int64)
    rank = capture.rank[event]
    exchanges = capture.events(EventKind.EXCHANGE)
    by_rank = [exchanges[capture.rank[exchanges] == r] for r in np.unique(capture.rank)]
    if len(by_rank) < 2 or len({len(of) for of in by_rank}) != 1:
        return None
    begun = event.min()
    trained = capture.events(EventKind.STEP)
    trained = trained[trained < begun].max(initial=-1)
    between = exchanges[(exchanges > trained) & (exchanges < begun)]
    told_before = bool((capture.tokens[between] > SUMS).any())
    epoch, inside = np.zeros(len(event), np.int64), 0
    for r, mine in zip(np.unique(capture.rank), by_rank, strict=True):
        epoch[rank == r] = np.searchsorted(mine, event[rank == r])
        if (rank == r).any():
            inside = max(inside, int(np.ptp(epoch[rank == r])))
    return RankOrder(position, rank, event, epoch, inside, told_before)
