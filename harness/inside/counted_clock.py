"""A clock that goes on by one second whenever the script looks at it, or takes a gradient.

A training that ends by the clock alone takes another number of steps in every run, so that no two
runs are alike to the bit; and without a clock it never ends. By this one it ends after as many
looks as it was given seconds, always after the same. Where a contest leaves the clock to its
scripts, it is gradients that take a second, and looks take little: so the steps of a training tell
what of it the script counts.
Guarantees: only looks by a line of the script count; libraries, and the limits of the run, have the
machine's clock; events of an accelerator that stands for one are looks, too. Does not cover:
`datetime`.
"""

import functools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from harness.inside.shim.streams import Event

CLOCKS = ("time", "perf_counter", "monotonic", "process_time")
TICK_S = 1.0  # a look, or a gradient
BESIDE_S = 0.1  # a look beside gradients: a script that counts none of them ends all the same


@dataclass
class _Clock:
    """What it shows to the script, from where it was."""

    now_s: float = 0.0

    def goes_on(self, seconds: float) -> float:
        self.now_s += seconds
        return self.now_s


def install(theirs: Callable[[str], bool], *, by_gradients: bool = False) -> None:
    """For every file that is `theirs`."""
    shown = _Clock()
    look_s = BESIDE_S if by_gradients else TICK_S

    def counted(clock: Any, unit: float) -> Any:
        began = clock()

        def look() -> Any:
            if not theirs(sys._getframe(1).f_code.co_filename):
                return clock()
            return began + type(began)(shown.goes_on(look_s) * unit)

        return look

    Event.clock = staticmethod(lambda: shown.goes_on(look_s))
    for name in CLOCKS:
        setattr(time, name, counted(getattr(time, name), 1.0))
        setattr(time, f"{name}_ns", counted(getattr(time, f"{name}_ns"), 1e9))
    if by_gradients:
        for name in ("backward", "grad"):
            setattr(torch.autograd, name, _timed(getattr(torch.autograd, name), shown))


def _timed(function: Any, shown: _Clock) -> Any:
    @functools.wraps(function)
    def taken(*args: Any, **kwargs: Any) -> Any:
        shown.goes_on(TICK_S)
        return function(*args, **kwargs)

    return taken
