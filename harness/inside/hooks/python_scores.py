"""Scores that a script reads out as Python numbers and adds up in a loop.

`tensor.item()` and its like give a `Score`: a float that computes exactly what a float computes and
remembers its stream position through arithmetic, `math.log` and `math.exp`. Adding it to a total
(`total += -math.log(p)`, `sum(list)`) is what enters the total. Whether `q + s` adds up tokens or
mixes two probabilities of one token shows only at the next step, so it is held back until then: a
logarithm or exponential of it says *mixture*.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from harness.inside.hooks.marks import Mark
from harness.inside.hooks.recorder import Recorder
from harness.inside.hooks.sites import Site
from harness.inside.hooks.unseen import seen_through

READ_AT_ONCE = 1_000_000  # elements of the longest list that keeps its places
ARITHMETIC = [
    "add",
    "sub",
    "mul",
    "truediv",
    "pow",
    "radd",
    "rsub",
    "rmul",
    "rtruediv",
    "rpow",
    "neg",
    "pos",
    "abs",
]
FUNCTIONS = ("log", "exp", "log2", "log1p", "expm1")


class Placed:
    """What both kinds of scores share."""

    position: int
    mark: Mark
    held: "tuple[Placed, Site] | None"  # the score whose addition made this number, not yet told

    def __reduce__(self) -> Any:
        plain = float if isinstance(self, Score) else np.float64
        return plain, (plain(self),)  # type: ignore[arg-type]

    def __deepcopy__(self, memo: Any) -> Any:
        return self


class Score(Placed, float):
    """A Python float."""


class NumpyScore(np.float64, Placed):  # type: ignore[misc]
    """A numpy float64; numpy reads the base out of the second place of the resolution order."""

    __reduce__ = Placed.__reduce__
    __deepcopy__ = Placed.__deepcopy__


_recorder: list[Recorder] = []


def listen(recorder: Recorder | None) -> None:
    """Sets who is told."""
    _recorder[:] = [] if recorder is None else [recorder]


def placed(value: Any, position: int, mark: Mark) -> Any:
    """A number with its place."""
    if position < 0 or mark.loss < 0:
        return value
    kind: Any = NumpyScore if isinstance(value, np.float64) else Score
    score = kind(value)
    score.position, score.mark, score.held = position, mark, None
    return score


def placed_list(values: Any, positions: Any, mark: Mark) -> Any:
    """The result of `tolist`, every number with its place."""
    if isinstance(values, list):
        return [placed_list(v, p, mark) for v, p in zip(values, positions, strict=True)]
    return placed(values, positions, mark)


def _settle(number: Any) -> None:
    """A held addition turns out to be a total."""
    held = getattr(number, "held", None)
    if held is not None:
        number.held = None
        if _recorder and _recorder[0].usable("python"):
            score, site = held
            _recorder[0].single(score.mark, score.position, float(score), read_out=False, site=site)


def _operator(base: Any, name: str) -> Any:
    compute = getattr(base, f"__{name}__")

    def operator(self: Any, *others: Any) -> Any:
        value = compute(self, *others)
        if value is NotImplemented or not isinstance(value, float):
            return value
        other: Any = others[0] if others else None
        if name in ("radd", "rsub") and not isinstance(other, Placed) and _enters(name, self):
            return _held(value, self)
        another = isinstance(other, Placed) and other.position != self.position
        if name in ("add", "sub") and another and _enters(name, other):
            _settle(self)
            return _held(value, other)
        _settle(self)
        _settle(other)
        return placed(value, self.position, replace(self.mark, softmax=0))

    return operator


def _enters(name: str, score: Any) -> bool:
    """A total takes a loss in by adding it, a log-probability by subtracting it."""
    return name.endswith("add") or float(score) <= 0


def _held(value: Any, added: Any) -> Any:
    _settle(added)
    total = placed(value, added.position, added.mark)
    if isinstance(total, Placed) and _recorder:
        total.held = added, _recorder[0].sites.here()
    return total


for _name in ARITHMETIC:
    setattr(Score, f"__{_name}__", _operator(float, _name))
    setattr(NumpyScore, f"__{_name}__", _operator(np.float64, _name))


def _function(compute: Any) -> Any:
    def function(*arguments: Any) -> Any:
        value = compute(*arguments)
        first = arguments[0] if arguments else None
        if isinstance(first, Placed):
            first.held = None  # a mixture, not a total
            return placed(value, first.position, replace(first.mark, softmax=0))
        return value

    return seen_through(function, compute)


class MathHooks:
    """Wraps the functions of `math` through which a score's place would be lost."""

    def __init__(self, recorder: Recorder) -> None:
        listen(recorder)
        self._kept = {name: getattr(math, name) for name in FUNCTIONS}
        for name, compute in self._kept.items():
            setattr(math, name, _function(compute))

    def close(self) -> None:
        """Takes everything back."""
        listen(None)
        for name, compute in self._kept.items():
            setattr(math, name, compute)
