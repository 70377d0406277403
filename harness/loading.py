"""Imports of what is large, without looks for garbage meanwhile.

    with loading():
        import torch

Python looks through all objects again and again while their number grows; with torch that takes as
long as the import itself (measured: 1.2 of 2.5 s), and finds nothing.
Guarantees: afterwards all goes on as before, but that what was loaded is never looked through
again; in a process that is forked later, such a look would copy every page of it.
Does not cover: what is imported as the process begins.
"""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Around import statements; where nobody collects garbage anyway, as it was."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
