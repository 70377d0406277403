"""Counts the runs of one subject and tells the observer of each.

Guarantees: every run that was announced is announced as ended, also one that broke off with an
error of ours; numbers count the runs that were begun. Threads may share it.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from harness.experiments.run_name import RunName
from harness.observer import Observer, RunNote
from harness.protocol.job import Outcome, RunState


class Announced:
    """The runs so far."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._lock = threading.Lock()
        self._begun = self._planned = 0
        self._under_way: dict[int, str] = {}

    def expect(self, n_runs: int) -> None:
        """So many more are planned."""
        with self._lock:
            self._planned = max(self._planned, self._begun) + n_runs

    @property
    def under_way(self) -> list[str]:
        """Names of the runs that have not ended, in the order in which they began."""
        with self._lock:
            return [name for _, name in sorted(self._under_way.items())]

    @contextmanager
    def run(self, name: RunName) -> Iterator[list[Outcome]]:
        """One run; its outcome goes into the list."""
        with self._lock:
            self._begun += 1
            planned = self._planned if self._begun <= self._planned else 0
            note = RunNote(self._begun, planned, str(name), name.kind.purpose)
            self._under_way[note.number] = note.name
        outcomes: list[Outcome] = []
        began = time.monotonic()
        self._observer.run_begins(note)
        try:
            yield outcomes
        finally:
            how = _how(outcomes[-1]) if outcomes else "not brought to its end"
            self._observer.run_ends(note, time.monotonic() - began, how)
        with self._lock:  # one that broke off stays, so that it can be named
            del self._under_way[note.number]


def _how(outcome: Outcome) -> str:
    if outcome.state is RunState.ENDED:
        return ""
    return f"{outcome.state}: {outcome.cause}" if outcome.cause else str(outcome.state)
