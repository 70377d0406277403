"""What tests count in a rebuilt pass."""

import numpy as np

from harness.trace.first_use import UpdateView
from harness.trace.reconstruct import Pass
from harness.trace.uses import NEVER


def duplicates(counted: Pass) -> int:
    """Scores of positions that had been scored before in the pass."""
    return len(counted.position) - len(np.unique(counted.position))


def learned_early(view: UpdateView) -> int:
    """Positions that were learned from before their score was fixed."""
    return int(((view.first_used < view.scored_at) & (view.scored_at != NEVER)).sum())
