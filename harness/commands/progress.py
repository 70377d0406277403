"""Shows on stderr what an evaluation does: bars and a running clock on a terminal, plain lines in a
log.

Guarantees: in a log, one line when a run begins and one when it ends, and of a phase that goes
token by token one each half minute at most; no control characters of a submission. Does not cover:
the verdict, which goes to stdout at the end.
"""

import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from tqdm import tqdm

from audits.output.escape import visible
from harness.observer import Observer, RunNote

TICK_S = 0.5  # between two refreshes of a run's clock


class Shown(Observer):
    """For one evaluation. Runs may be shown from several threads."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._clocks: dict[int, _Clock] = {}

    def counts(self, phase: str, total: int) -> Callable[[int], None]:
        """A bar on a terminal; in a log, a line each half minute at most."""
        interval_s = TICK_S if self._live else 30.0
        bar: Any = tqdm(
            total=total, desc=f"{phase:>12}", unit="tok", file=sys.stderr, mininterval=interval_s
        )

        def advance(n: int) -> None:
            bar.update(n)
            if bar.n >= total:
                bar.close()

        return advance

    def read(self, lines: Sequence[str]) -> None:
        """At once, before anything is driven."""
        for line in lines:
            _say(line)

    def run_begins(self, run: RunNote) -> None:
        """A clock on a terminal."""
        if self._live:
            self._clocks[run.number] = _Clock(run.title)
        else:
            _say(run.title)

    def run_ends(self, run: RunNote, wall_s: float, how: str) -> None:
        """What is left of the clock."""
        if self._live:
            self._clocks.pop(run.number).stop()
        _say(f"run {run.number}, {run.name}, ended after {wall_s:.1f} s{how and f': {how}'}")


def _say(line: str) -> None:
    """A whole line, above the bars."""
    tqdm.write(visible(line), file=sys.stderr)
    sys.stderr.flush()


class _Clock:
    """A line of a terminal that counts the seconds until it is stopped."""

    def __init__(self, title: str) -> None:
        self._bar: Any = tqdm(
            desc=visible(title), bar_format="{desc} [{elapsed}]", leave=False, file=sys.stderr
        )
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()
        self._bar.close()

    def _tick(self) -> None:
        while not self._ended.wait(TICK_S):
            self._bar.refresh()
