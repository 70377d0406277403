"""What a score that was picked out of a row is, by value: the row says whether it weighs one.

    log-probabilities   logsumexp of every row is zero; of base two or ten, in that base
    probabilities       every row adds up to one
    anything else       the picked number v is a logit of log p = v - logsumexp(row), or a weight of
                        p = v / sum(row): what is still to be taken off is its *normaliser*

Arithmetic by numbers that are no scores moves the normaliser; once it is zero at every position,
the score is normalised, however the script wrote its softmax. Positions that come twice with
different rows have none.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.arrays import Floats
from harness.inside.hooks.recording.position_maps import Positions
from harness.protocol.question import UNITS

ROUNDING = 1e-4  # nats by which a row may miss one: of float32, 8,192 entries do by 1e-6
SHARE = 64  # rows are not looked at for the sake of fewer than one score for so many
MOST = 1 << 24  # numbers that are looked at at once


@dataclass(frozen=True, eq=False)
class Normaliser:
    """What is still to be taken off, nats."""

    width: int  # entries of the rows
    off: Floats  # (T,) by position; NaN: none
    sign: float  # of the logit in the number: log p = sign * v - off
    weights: bool  # log p = log v - off

    def added(self, positions: Positions, number: Any, sign: float, turned: bool) -> "Normaliser":
        """v + number, v - number (sign -1), or number - v (turned)."""
        mine = -self.sign if turned else self.sign
        change = -self.sign * number if turned else self.sign * sign * number
        return replace(self, off=self._moved(positions, change), sign=mine)

    def scaled(self, positions: Positions, factor: Any) -> "Normaliser":
        """v * factor, of weights."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return replace(self, off=self._moved(positions, np.log(factor)))

    def _moved(self, positions: Positions, change: Any) -> Floats:
        off = self.off.copy()
        known = positions >= 0
        change = np.broadcast_to(np.asarray(change, np.float64), positions.shape)
        off[positions[known]] = self.off[positions[known]] + change[known]
        return off

    def is_spent(self, positions: Positions) -> bool:
        """Nothing is left to take off."""
        known = positions >= 0
        return bool(known.any() and (np.abs(self.off[positions[known]]) < ROUNDING).all())


@dataclass(frozen=True, eq=False)
class PickedFrom:
    """What was picked."""

    softmax_width: int = 0  # entries of the rows, where they are log-probabilities
    row_width: int = 0  # where they are probabilities
    normaliser: Normaliser | None = None
    factor: float | None = None  # of log-probabilities, where their base is not e


def picked_from(
    rows: Any,  # (..., V) float
    of_pick: Any,  # what leads from (...) to the shape of the positions
    positions: Positions,
    stream_length: int,
) -> PickedFrom:
    """Looks at the rows."""
    width = rows.shape[-1]
    if width < 2 or rows.size > MOST or rows.size > SHARE * positions.size * width:
        return PickedFrom()
    numbers = np.asarray(rows, np.float64)
    high, low = numbers.max(-1), numbers.min()
    if not np.isfinite(high).all():
        return PickedFrom()
    with np.errstate(divide="ignore", over="ignore"):
        if low >= 0:
            logs = np.log(numbers.sum(-1))
        else:
            logs = high + np.log(np.exp(numbers - high[..., None]).sum(-1))
    if (np.abs(logs) < ROUNDING).all():
        return PickedFrom(row_width=width) if low >= 0 else PickedFrom(softmax_width=width)
    if low < 0 and (base := _base(numbers)):
        return PickedFrom(softmax_width=width, factor=1.0 / base)
    each = np.broadcast_to(of_pick(logs), positions.shape)
    off = np.full(stream_length, np.nan)
    known = positions >= 0
    off[positions[known]] = each[known]
    with np.errstate(invalid="ignore"):
        off[positions[known][np.abs(off[positions[known]] - each[known]) > ROUNDING]] = np.nan
    return PickedFrom(normaliser=Normaliser(width, off, 1.0, bool(low >= 0)))


def _base(rows: Floats) -> float:
    """The natural logarithm of the base, two or ten, of which rows are log-probabilities; or 0."""
    flat = rows.reshape(-1, rows.shape[-1])
    with np.errstate(divide="ignore", over="ignore"):
        for base in (UNITS["bits"], UNITS["digits"]):
            if all(_weigh_one(base * some) for some in (flat[:1], flat)):
                return base
    return 0.0


def _weigh_one(logs: Floats) -> bool:
    return bool((np.abs(np.log(np.exp(logs).sum(-1))) < ROUNDING).all())


def row_behind(rows: Any, of_pick: Any, positions: Positions, place: int) -> Any:
    """(V,) the row of which an element was picked; `place` in reading order of the positions."""
    width = rows.shape[-1]
    numbers = np.arange(int(np.prod(rows.shape[:-1]))).reshape(rows.shape[:-1])
    each = np.broadcast_to(of_pick(numbers), positions.shape).reshape(-1)
    return rows.reshape(-1, width)[int(each[place])]
