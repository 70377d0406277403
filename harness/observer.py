"""Who is told what an evaluation does while it does it: its long phases, each run of a script, what
reading the code brought up.

Guarantees: it hears of a run when that begins and when it ends, of several at a time from several
threads. Does not cover: findings of runs; they are judged together, at the end.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class RunNote:
    """One run of a script, as it is announced."""

    number: int  # of all that were begun, from 1
    planned: int  # runs that are planned so far, this one among them; 0: nobody knows
    name: str
    purpose: str  # what it is for

    @property
    def title(self) -> str:
        """Which run it is, and what for."""
        of = f" of {self.planned} planned so far" if self.planned else ""
        return f"run {self.number}{of}, {self.name}: {self.purpose}"


class Observer:
    """Is told everything, and keeps it to itself."""

    def counts(self, phase: str, total: int) -> Callable[[int], None]:
        """A phase begins that goes token by token; the answer is told how many more are done."""
        return lambda n: None

    def read(self, lines: Sequence[str]) -> None:
        """The code was read, and nothing of it is run yet: what that brought up, line by line."""

    def run_begins(self, run: RunNote) -> None:
        """A run begins."""

    def run_ends(self, run: RunNote, wall_s: float, how: str) -> None:
        """It ended; `how`: empty if well, else the state and the cause."""
