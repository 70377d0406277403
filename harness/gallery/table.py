"""The gallery as a table of plain text, and in one line.

Guarantees: a folder's own words are shown escaped; what is open is never counted as caught.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from audits.output.escape import visible
from harness.gallery.exhibit import ROOMS, Exhibit
from harness.gallery.outcome import Outcome, State

HEAD = f"{'':<7} {'rule':<9} {'level':<12} {'s':>6}  folder: idea"


@dataclass(frozen=True)
class Row:
    """One showing."""

    exhibit: Exhibit
    seed: int
    outcome: Outcome
    seconds: float

    def text(self) -> str:
        """A line, and a second one with what is open or wrong."""
        found = self.outcome
        head = f"{found.state:<7} {found.rule:<9} {found.level:<12} {self.seconds:>6.1f}"
        line = f"{head}  {visible(self.exhibit.name)}: {visible(self.exhibit.idea)}"
        return f"{line}\n{'':<40}{visible(found.note)}" if found.note else line


def summary(rows: Sequence[Row]) -> str:
    """Of both rooms: how many, how many as they must be, by which level, how long."""
    return "\n".join(filter(None, (_room(room, rows) for room in ROOMS)))


def _room(room: str, rows: Sequence[Row]) -> str:
    here = [row for row in rows if row.exhibit.room == room]
    if not here:
        return ""
    states = Counter(row.outcome.state for row in here)
    levels = Counter(row.outcome.level for row in here if row.outcome.state is State.CAUGHT)
    by = ", ".join(f"{n} {level or 'refused'}" for level, n in sorted(levels.items()))
    said = ", ".join(f"{states[state]} {state}" for state in State if states[state])
    seconds = sum(row.seconds for row in here)
    return f"{room}: {len(here)} shown, {said}{f' (by {by})' if by else ''}, {seconds:.0f} s"
