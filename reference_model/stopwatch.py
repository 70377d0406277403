"""The seconds that a run has trained, over all processes that worked on it.

Starts stopped. Guarantees: what lies between `stop` and `start` does not count (evaluation, saving
for the user's sake); a checkpoint carries the seconds on. Does not cover: work a GPU still has
queued; whoever wants that counted synchronises first.
"""

import time


class Stopwatch:
    def __init__(self, seconds: float = 0.0):
        self._before = seconds  # seconds counted until the last stop
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        running = 0.0 if self._since is None else time.perf_counter() - self._since
        return self._before + running

    def start(self) -> None:
        if self._since is None:
            self._since = time.perf_counter()

    def stop(self) -> None:
        self._before, self._since = self.seconds, None
