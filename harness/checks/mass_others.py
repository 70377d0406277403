"""What tokens weigh that were not asked for: by those drawn at random, and by rows that were read.

A script that mixes a network with a table reads one entry of a row of each. Those rows tell of all
other tokens, too: a straight line through what the copies answered, over the rows' entries and
their exponentials, says what each of the others should weigh. It is believed by nobody: what it
is off by at tokens that it was not fitted to is added, and the spread of that is the deviation.

Guarantees: without a row, or with one that explains nothing, the mean of the tokens drawn. Does
not cover: a lie that begins only at tokens none of which was drawn or chosen.
"""

import math
from dataclasses import dataclass

import numpy as np

from harness.arrays import Bools, Floats, Ints

FEWEST = 8  # tokens drawn at random from which a deviation is taken
FOR_EACH = 6  # tokens drawn for each number of the line
LARGEST = 30.0  # ln of a weight; beyond it a row holds no logarithms
FOLDS = 4


@dataclass(frozen=True)
class OthersMass:
    """Of all tokens that were not re-queried."""

    weight: float
    deviation: float


def others_mass(
    tokens: Ints,  # (k,) re-queried
    weights: Floats,  # (k,) probabilities of them
    drawn: Bools,  # (k,) which of them at random
    alphabet: int,
    rows: Floats | None,  # (r, V)
) -> OthersMass:
    """The line where it has enough to go by, else the mean."""
    left, n_drawn = np.setdiff1d(np.arange(alphabet), tokens), np.count_nonzero(drawn)
    if not len(left):
        return OthersMass(0.0, 0.0)
    if n_drawn < FEWEST:
        mean = float(weights[drawn].mean()) if n_drawn else 0.0
        return OthersMass(mean * len(left), math.inf)
    found = _by(np.ones((alphabet, 1)), tokens, weights, drawn, left)
    columns = np.ones((alphabet, 1)) if rows is None else _columns(rows)
    if columns.shape[1] == 1 or n_drawn < FOR_EACH * columns.shape[1]:
        return found
    line = _by(columns, tokens, weights, drawn, left)
    return min(found, line, key=lambda one: one.deviation)


def _columns(rows: Floats) -> Floats:
    """(V, c): one, each row, and the exponentials of each that may hold logarithms."""
    logs = [row for row in rows if np.ptp(row) > 0 and row.max() <= LARGEST]
    every = [row for row in (*rows, *map(np.exp, logs)) if np.ptp(row) > 0]
    return np.stack([np.ones(rows.shape[1]), *(row / np.abs(row).max() for row in every)], axis=1)


def _by(columns: Floats, tokens: Ints, weights: Floats, drawn: Bools, left: Ints) -> OthersMass:
    """Each part of the drawn tokens is held against the line through everything else."""
    fold = np.where(drawn, np.cumsum(drawn) % FOLDS, -1)
    off, expected = np.zeros(len(tokens)), np.zeros(len(left))
    for held in range(FOLDS):
        used = (fold != held) if columns.shape[1] > 1 else drawn & (fold != held)
        line = np.linalg.lstsq(columns[tokens[used]], weights[used], rcond=None)[0]
        off[fold == held] = (weights - columns[tokens] @ line)[fold == held]
        expected += columns[left] @ line / FOLDS
    seen = off[drawn]
    share = len(left) / (len(left) + len(seen))
    spread = float(seen.std(ddof=1)) / math.sqrt(len(seen)) * len(left) * math.sqrt(share)
    return OthersMass(float(expected.sum() + seen.mean() * len(left)), spread)
