"""Whether of several scores of each token the best was taken.

Decides: every number that came out is the lowest of those that it was made of (the highest, of
logarithms and probabilities), and two of them at least are so often: what always wins is no choice,
and what is no token's score and the same for all is a limit.
Does not cover: whether it is what was counted (`trace.hindsight`).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FEWEST = 8  # tokens
SHARE = 0.02  # of the tokens whose scores differ, that each of two must be the best for
DIFFER = 1e-6  # nats


def is_best_of(
    candidates: npt.NDArray[np.float64],  # (k, n) scores of the same tokens
    taken: npt.NDArray[np.float64],  # (n,)
    scores: Sequence[bool],  # (k,) known to be of tokens
) -> bool:
    """A choice in hindsight."""
    if len(candidates) < 2 or candidates.shape[1] != len(taken):
        return False
    if not np.isfinite(candidates).all():
        return False
    losses = candidates if (candidates > 1).any() else -candidates
    lowest = losses.min(axis=0)
    chosen = taken if losses is candidates else -taken
    if not np.array_equal(chosen, lowest):
        return False
    others = np.sort(losses, axis=0)[1]
    apart = others > lowest + DIFFER
    limits = [
        np.ptp(one) <= DIFFER and not known for one, known in zip(losses, scores, strict=True)
    ]
    wins = np.where(limits, 0, (apart & (losses == lowest)).sum(axis=1))
    return bool(np.sort(wins)[-2] >= max(2, SHARE * int(apart.sum())))
