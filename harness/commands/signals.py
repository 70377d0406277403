"""SIGINT and SIGTERM while the command evaluates: the first ends the evaluation with its report, a
second one ends everything at once.

Guarantees: handlers are there for the block alone, and only in the main thread. Does not cover: a
library that has been in one call of its own when the signal came; Python hears of it afterwards.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import NoReturn

from harness.interrupts import ENDING, Interrupted
from harness.sandbox import syscalls


@contextmanager
def interruptible() -> Iterator[None]:
    """Signals raise Interrupted."""
    with ExitStack() as installed:
        if threading.current_thread() is threading.main_thread():
            for number in ENDING:
                before = signal.signal(number, _first)
                installed.callback(signal.signal, number, before)
        yield


def leave(code: int) -> NoReturn:
    """Ends this process at once: unloading torch takes a second."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _first(number: int, frame: FrameType | None) -> None:
    for ending in ENDING:
        signal.signal(ending, _second)
    raise Interrupted(signal.Signals(number))


def _second(number: int, frame: FrameType | None) -> None:
    for process in syscalls.descendants():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)
    os._exit(128 + number)
