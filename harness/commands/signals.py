"""SIGINT and SIGTERM while the command evaluates: the first ends the evaluation with its report, a
second one ends everything at once.

Guarantees: handlers are there for the block alone, and only in the main thread; what comes within
ONE_S is the first signal still. Does not cover: a library that has been in one call of its own when
the signal came; Python hears of it afterwards.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import NoReturn

from audits.interruption import ENDING
from harness.interrupts import Interrupted
from harness.sandbox import syscalls

ONE_S = 1.0  # timeout(1) sends its signal to the process, and once more to its group


@contextmanager
def interruptible() -> Iterator[None]:
    """Signals raise Interrupted, also where a library makes another error of it."""
    heard: list[Interrupted] = []

    def first(number: int, frame: FrameType | None) -> None:
        heard.append(Interrupted(signal.Signals(number)))
        _await_second()
        raise heard[0]

    with ExitStack() as installed:
        if threading.current_thread() is threading.main_thread():
            for number in ENDING:
                before = signal.signal(number, first)
                installed.callback(signal.signal, number, before)
        try:
            yield
        except Exception as error:
            if heard:
                raise heard[0] from error
            raise


def leave(code: int) -> NoReturn:
    """Ends this process at once: unloading torch takes a second."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody reads it any more
            stream.flush()
    os._exit(code)


def _await_second() -> None:
    began = time.monotonic()

    def second(number: int, frame: FrameType | None) -> None:
        if time.monotonic() - began > ONE_S:
            _end_everything(number)

    for ending in ENDING:
        signal.signal(ending, second)


def _end_everything(number: int) -> NoReturn:
    for process in syscalls.descendants():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)
    os._exit(128 + number)
