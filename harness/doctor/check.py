"""One hostile thing, what must come of it, and what came of it.

A script prints a line for everything that it reached, and `done` behind that: the usual expectation
is an end without error and that one line.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from harness.doctor.ground import Ground
from harness.protocol.confinement import IsolationPart, Quota
from harness.protocol.job import Outcome, RunState

DONE = "done"


@dataclass(frozen=True)
class Seen:
    """A script's end, from outside."""

    outcome: Outcome
    lines: tuple[str, ...]  # of its log
    out: Path  # what was recorded of it
    ground: Ground


Expectation = Callable[[Seen], str]  # what is wrong; empty where it holds


def nothing_reached(seen: Seen) -> str:
    """It came to its end, and nothing that it tried was granted."""
    if seen.outcome.state is not RunState.ENDED:
        return f"it {seen.outcome.state}: {seen.outcome.cause}"
    reached = [line for line in seen.lines if line != DONE]
    return "; ".join(reached) if reached or DONE in seen.lines else "it said nothing"


def ends_as(state: RunState, *causes: str) -> Expectation:
    """A status, and a cause with one of these words."""

    def expectation(seen: Seen) -> str:
        outcome = seen.outcome
        if outcome.state is state and any(cause in outcome.cause for cause in causes or ("",)):
            return ""
        return f"it {outcome.state}: {outcome.cause or 'no cause'}"

    return expectation


@dataclass(frozen=True)
class Check:
    """A script that is run, or several in turn; what the last one prints is looked at."""

    what: str
    scripts: tuple[str, ...]
    expected: Expectation = nothing_reached
    needs: tuple[IsolationPart, ...] = ()  # the walls that hold it: without them it is not tried
    quota: Quota = Quota()  # noqa: RUF009 - frozen
    time_limit_s: float = 20.0
    capture: bool = False
    fast: bool = False  # for the tests too
    harmless: bool = False  # asks only: is tried in the process of a predictor as well


@dataclass(frozen=True)
class Reading:
    """A hostile file, and our code that reads it: what is wrong, empty where it holds."""

    what: str
    read: Callable[[Path], str]  # in a fresh folder of its own
    fast: bool = False


class Status(StrEnum):
    """Of one check on this machine."""

    HOLDS = "holds"
    FAILS = "FAILS"
    NOT_HELD = "not held"  # the machine refuses the wall that would


@dataclass(frozen=True)
class Result:
    """How one check came out."""

    section: str
    what: str
    status: Status
    said: str  # what failed, or which wall is missing
    wall_s: float = 0.0
