"""Deadlines: a clock that is compared with a number of seconds, or of milliseconds.

Guarantees: only a value that comes from a clock counts as one; the limit is what configuration and
literals make it.
Does not cover: limits kept in tensors, clocks read by other programs.
"""

from __future__ import annotations

from typing import Final

from audits.facts.events import Deadline, Site
from audits.facts.labels import CLOCK, Label
from audits.facts.state import Interpreter
from audits.facts.values import Value, kinds_of

CLOCKS: Final = frozenset(
    {"time.perf_counter", "time.time", "time.monotonic", "time.perf_counter_ns", "time.time_ns"}
)
_MILLISECONDS_FROM: Final = 10_000.0  # no limit of the contest is that many seconds


def now() -> Value:
    return Value(labels=frozenset({Label(CLOCK, 0)}))


def note(interp: Interpreter, left: Value, right: Value, site: Site) -> None:
    """`elapsed >= limit`, either way round."""
    for clock, limit in ((left, right), (right, left)):
        number = limit.const
        if CLOCK not in kinds_of(clock) or isinstance(number, bool):
            continue
        if isinstance(number, int | float) and number > 1.0:
            seconds = number / 1000.0 if number > _MILLISECONDS_FROM else float(number)
            interp.trace.deadlines.append(Deadline(site, interp.moment(), seconds))
