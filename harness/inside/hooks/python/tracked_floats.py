"""Scores that a script reads out as Python numbers and adds up in a loop.

`tensor.item()` and its like give a `TrackedFloat`: a float that computes exactly what a float
computes and remembers its stream position through arithmetic, `math.log` and `math.exp`. Adding it
to a total (`total += -math.log(p)`, `sum(list)`) is what enters the total. Whether `q + s` adds up
tokens or mixes two probabilities of one token shows only at the next step, so it is a *pending
total* until then: a logarithm or exponential of it says *mixture*, anything else commits it.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.inside.hooks.recording.position_maps import PositionMap
from harness.inside.hooks.recording.recorder import Recorder
from harness.inside.hooks.recording.sites import Site

READ_AT_ONCE = 1_000_000  # elements of the longest list that keeps its places
ARITHMETIC = (
    *("add", "sub", "mul", "truediv", "pow", "neg", "pos", "abs"),
    *("radd", "rsub", "rmul", "rtruediv", "rpow"),
)


@dataclass(slots=True, eq=False)
class PendingTotal:
    """An addition that may turn out to be a mixture yet. Not frozen, which takes longer."""

    added: "TrackedNumber"
    site: Site


class TrackedNumber:
    """What both kinds of scores share."""

    position: int
    position_map: PositionMap
    pending_total: PendingTotal | None  # the addition that made this number, while nobody was told

    def __reduce__(self) -> Any:
        plain = float if isinstance(self, TrackedFloat) else np.float64
        return plain, (plain(self),)  # type: ignore[arg-type]

    def __deepcopy__(self, memo: Any) -> Any:
        return self


class TrackedFloat(TrackedNumber, float):
    """A Python float."""


class TrackedNumpyFloat(np.float64, TrackedNumber):  # type: ignore[misc]
    """A numpy float64; numpy reads the base out of the second place of the resolution order."""

    __reduce__ = TrackedNumber.__reduce__
    __deepcopy__ = TrackedNumber.__deepcopy__


_recorder: list[Recorder] = []


def listen(recorder: Recorder | None) -> None:
    """Sets who is told."""
    _recorder[:] = [] if recorder is None else [recorder]


def tracked_number(value: Any, position: int, mapped: PositionMap) -> Any:
    """A number with its place."""
    if position < 0 or mapped.loss < 0:
        return value
    kind: Any = TrackedNumpyFloat if isinstance(value, np.float64) else TrackedFloat
    score = kind(value)
    score.position, score.position_map, score.pending_total = position, mapped, None
    return score


def tracked_list(values: Any, positions: Any, mapped: PositionMap) -> Any:
    """The result of `tolist`, every number with its place."""
    if isinstance(values, list):
        return [tracked_list(v, p, mapped) for v, p in zip(values, positions, strict=True)]
    return tracked_number(values, positions, mapped)


def mixture(value: Any, score: TrackedNumber) -> Any:
    """What a score became by arithmetic, which is no cross-entropy of a softmax any more."""
    mapped = score.position_map
    if mapped.softmax_width:  # a map is shared: making one takes longer than the arithmetic
        mapped = replace(mapped, softmax_width=0)
    return tracked_number(value, score.position, mapped)


def commit(number: Any) -> None:
    """A pending total, if the number is one, turns out to be a total."""
    pending: PendingTotal | None = getattr(number, "pending_total", None)
    if pending is None:
        return
    number.pending_total = None
    if _recorder and _recorder[0].usable("python"):
        score: Any = pending.added
        _recorder[0].single(
            score.position_map, score.position, float(score), read_out=False, site=pending.site
        )


def _pending(value: Any, added: TrackedNumber) -> Any:
    total = tracked_number(value, added.position, added.position_map)
    if isinstance(total, TrackedNumber) and _recorder:
        total.pending_total = PendingTotal(added, _recorder[0].sites.here())
    return total


def _operator(base: Any, name: str) -> Any:
    compute = getattr(base, f"__{name}__")

    def operator(self: Any, *others: Any) -> Any:
        value = compute(self, *others)
        if value is NotImplemented or not isinstance(value, float):
            return value
        other: Any = others[0] if others else None
        commit(self)
        commit(other)
        added = _added(name, self, other)
        return mixture(value, self) if added is None else _pending(value, added)

    return operator


def _added(name: str, score: Any, other: Any) -> TrackedNumber | None:
    """The score that an operation adds to a running total; None: it adds nothing up.

    To a plain number that stands on the left, or to the score of another token.
    """
    added = None
    if name in ("radd", "rsub"):
        added = score if not isinstance(other, TrackedNumber) else None
    elif name in ("add", "sub") and isinstance(other, TrackedNumber):
        added = other if other.position != score.position else None
    return added if added is not None and _enters(name, added) else None


def _enters(name: str, score: Any) -> bool:
    """A total takes a loss in by adding it, a log-probability by subtracting it."""
    return name.endswith("add") or float(score) <= 0


for _name in ARITHMETIC:
    setattr(TrackedFloat, f"__{_name}__", _operator(float, _name))
    setattr(TrackedNumpyFloat, f"__{_name}__", _operator(np.float64, _name))
