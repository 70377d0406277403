"""SIGINT and SIGTERM before there is anything to report: the command ends at once, and says that
nothing was judged.

Guarantees: no traceback, not even from the middle of an import; exit code 130 or 143. Does not
cover: the time until Python finds our code, and an evaluation under way, which has handlers of its
own.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM)


def end_at_once() -> None:
    """From now on; for the start of a command."""
    for number in ENDING:
        signal.signal(number, _end)


def as_python_does() -> None:
    """For a command that ends by itself what it started."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def ends_at_once() -> Iterator[None]:
    """For the block, where signals are ours to handle: in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [signal.signal(number, _end) for number in ENDING]
    try:
        yield
    finally:
        for number, handler in zip(ENDING, before, strict=True):
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:
    name = signal.Signals(number).name
    os.write(2, f"scorefirst: interrupted by {name}; nothing was judged\n".encode())
    os._exit(128 + number)
