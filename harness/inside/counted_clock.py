"""A clock that goes on by one second whenever the script looks at it.

A training that ends by the clock alone takes another number of steps in every run, so that no two
runs are alike to the bit; and without a clock it never ends. By this one it ends after as many
looks as it was given seconds, always after the same.
Guarantees: only looks by a line of the script count; libraries, and the limits of the run, have the
machine's clock; events of an accelerator that stands for one are looks, too. Does not cover:
`datetime`.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

from harness.inside.shim.streams import Event

CLOCKS = ("time", "perf_counter", "monotonic", "process_time")
TICK_S = 1.0  # a look


def install(theirs: Callable[[str], bool]) -> None:
    """For every file that is `theirs`."""
    looks = 0

    def counted(clock: Any, unit: float) -> Any:
        began = clock()

        def look() -> Any:
            nonlocal looks
            if not theirs(sys._getframe(1).f_code.co_filename):
                return clock()
            looks += 1
            return began + type(began)(looks * TICK_S * unit)

        return look

    def at_event() -> float:
        nonlocal looks
        looks += 1
        return looks * TICK_S

    Event.clock = staticmethod(at_event)
    for name in CLOCKS:
        setattr(time, name, counted(getattr(time, name), 1.0))
        setattr(time, f"{name}_ns", counted(getattr(time, f"{name}_ns"), 1e9))
