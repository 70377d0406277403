"""An evaluation that was asked to end: what is raised in the main thread, a place where a signal
waits until something is whole, and work that may take no longer than it is given.

Does not cover: who turns signals into `Interrupted`; the command does, a library leaves them alone.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

from audits.interruption import ENDING

Result = TypeVar("Result")


class Interrupted(KeyboardInterrupt):
    """Raised in the main thread by the first signal."""

    def __init__(self, by: signal.Signals) -> None:
        super().__init__(f"interrupted by {by.name}")
        self.by = by

    @property
    def exit_code(self) -> int:
        """As a shell says it."""
        return 128 + self.by


@contextmanager
def held_back() -> Iterator[None]:
    """Signals that come meanwhile are delivered at the end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def within(limit_s: float, work: Callable[[], Result]) -> Result:
    """What the work gives, or raises. TimeoutError where that takes too long: it goes on unheeded,
    and ends with the process at the latest.
    """
    done: Future[Result] = Future()

    def go() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - all of it is the caller's
            done.set_exception(error)

    threading.Thread(target=go, daemon=True).start()
    return done.result(limit_s)
