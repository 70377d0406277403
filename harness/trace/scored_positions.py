"""The scores that entered a printed number, one row a position.

`ScoredPass` is what the checks need of a pass. `per_position` joins scores of one token
(they share its weight), scales weights so that the usual one is one, and cuts larger ones to it:
overlaps, batch means and first windows then obey E[prod r^w] <= 1 (Hoelder), whatever the script
averaged over. (#549 scores the last 64 tokens of the stream 32 times: scaled by that, all others
would count a thirty-second.)
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from harness.arrays import Bools, Floats, Ints


class ScoredPass(Protocol):
    """A pass as the reconstruction gives it; n rows, a position may come more than once."""

    @property
    def position(self) -> npt.NDArray[np.int32]:
        """(n,) place in the validation stream of the token that was predicted."""

    @property
    def nats(self) -> Floats:
        """(n,)."""

    @property
    def weight(self) -> Floats:
        """(n,) what the score was multiplied by on its way into the total."""

    @property
    def event(self) -> Ints:
        """(n,) order of scoring."""

    @property
    def gap(self) -> float:
        """Relative: printed against rebuilt."""


@dataclass(frozen=True)
class PerPosition:
    """Scored positions, sorted; k rows."""

    position: Ints  # (k,)
    weight: Floats  # (k,) at most one; the median's is one
    nats: Floats  # (k,) weighted mean of the position's scores
    log_p: Floats  # (k,) nats: ln of the weighted mean of the position's probabilities
    first: Ints  # (k,) event of its first score
    last: Ints  # (k,) event of its last score


def scored_once(scored: ScoredPass, view: PerPosition) -> Bools:
    """(k,) the position has one score: many score the end of a stream twice."""
    scores: Ints = np.bincount(scored.position[scored.weight > 0])
    return np.asarray(scores[view.position] == 1)


def per_position(scored: ScoredPass) -> PerPosition:
    """Scores of weight zero entered nothing and are left out."""
    used = scored.weight > 0
    position, row = np.unique(scored.position[used].astype(np.int64), return_inverse=True)
    nats, weight, event = scored.nats[used], scored.weight[used], scored.event[used]
    total = np.bincount(row, weight, len(position))
    mean = np.bincount(row, weight * nats, len(position)) / total
    # around the mean, so that tiny probabilities do not underflow
    spread = np.exp(np.minimum(mean[row] - nats, 700.0))
    log_p = np.log(np.bincount(row, weight * spread, len(position)) / total) - mean
    first = np.full(len(position), np.iinfo(np.int64).max)
    last = np.full(len(position), -1)
    np.minimum.at(first, row, event)
    np.maximum.at(last, row, event)
    scale = np.median(total) if len(total) else 1.0
    return PerPosition(position, np.minimum(total / scale, 1.0), mean, log_p, first, last)


def nats_at(scored: ScoredPass, positions: Ints) -> Floats:
    """(c,) nats at stream positions; NaN where one was not scored."""
    view = per_position(scored)
    if not len(view.position):
        return np.full(len(positions), np.nan)
    row = np.searchsorted(view.position, positions).clip(max=len(view.position) - 1)
    return np.where(view.position[row] == positions, view.nats[row], np.nan)


def weights_known(scored: ScoredPass) -> bool:
    """Finite, none negative, some positive: the total is a mean that can be scaled."""
    weight = scored.weight
    return bool(len(weight) and np.isfinite(weight).all() and weight.min() >= 0 and weight.max())
