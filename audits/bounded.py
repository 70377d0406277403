"""Reading what a submission holds, in a child process with bounds: of time, of memory, of stack.

Guarantees: whatever the bytes do to the reader (a parser that overflows its stack, a loop without
end, gigabytes out of kilobytes), this process lives, and knows the cause; the child holds none of
its open files, and ends with it. What the work raises is raised here, with its traceback as a note.
The kernel lets the child write no file, start nothing and reach nobody (`system_calls`), on Linux.
Does not cover: what the child reads; a system without `/proc` has no bound of memory, one without
`fork` none at all.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import pickle
import resource
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from audits.system_calls import only_reads

R = TypeVar("R")

READ_BYTES: Final = 1 << 20
STACK_BYTES: Final = 4 << 20  # half of what a process has: what ends here would end well outside
TO_DIE_S: Final = 10  # of the processor, beyond the limit, for a child whose parent is gone
PR_SET_PDEATHSIG: Final = 1
NOTE_BYTES: Final = 4_096
_NOTE: Final = mmap.mmap(-1, NOTE_BYTES)  # shared with children: the file that one is at


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one reading may take."""

    wall_s: float = 60.0  # finite; the longest of two thousand real folders takes 3
    memory_bytes: int = 2 << 30  # beyond what this process has


class Unfinished(Exception):
    """The reading did not come to its end; the text says why, and at which file it was."""


def at_file(name: str) -> None:
    """Says which file is read now, for whoever has to say where a reading ended."""
    raw = name.encode("utf-8", "surrogateescape")[: NOTE_BYTES - 1]
    _NOTE[: len(raw) + 1] = raw + b"\0"


def in_child(work: Callable[[], R], bounds: Bounds = Bounds()) -> R:
    """What the work gives: plain data. Raises Unfinished, and what the work raises."""
    at_file("")
    ours, theirs = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: the child needs none
        child = os.fork()
    if child == 0:
        _be_child(work, bounds, theirs)
    os.close(theirs)
    try:
        answer = _all_of(ours, time.monotonic() + bounds.wall_s)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    finally:
        os.close(ours)
    if answer is None:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if answer is None:
        raise Unfinished(f"not read within {bounds.wall_s:g} s{_where()}")
    result: R = _taken(answer, os.waitstatus_to_exitcode(status), bounds)
    return result


def _taken(answer: bytes, code: int, bounds: Bounds) -> Any:
    """What the child had to say, if it lived to say it."""
    if code < 0:
        raise Unfinished(f"the reader was killed by {signal.Signals(-code).name}{_where()}")
    if code or not answer:
        raise Unfinished(f"the reader ended with exit code {code}{_where()}")
    kind, said = pickle.loads(answer)  # of a child that ran our code alone
    if kind is MemoryError:
        raise Unfinished(f"reading takes more than {bounds.memory_bytes >> 20} MB{_where()}")
    if kind is RecursionError:
        raise Unfinished(f"nested too deeply{_where()}")
    if kind is not None:
        raise said
    return said


def _where() -> str:
    name = _NOTE[:NOTE_BYTES].partition(b"\0")[0].decode("utf-8", "replace")
    return f" (the last file that it opened: {name})" if name else ""


def _all_of(pipe: int, until: float) -> bytes | None:
    """Everything that is written; None where that takes too long."""
    parts: list[bytes] = []
    while True:
        ready, _, _ = select.select([pipe], [], [], max(until - time.monotonic(), 0.0))
        if not ready:
            return None
        part = os.read(pipe, READ_BYTES)
        if not part:
            return b"".join(parts)
        parts.append(part)


# -------------------------------------------------------------------------------------------------
# in the child


def _be_child(work: Callable[[], R], bounds: Bounds, out: int) -> NoReturn:
    """Never comes back: no handler, no `finally` and no exit function of the parent runs here."""
    code = 1
    try:
        _bind_to_parent()
        _limit(bounds)
        _leave_files(out)
        only_reads()
        answer = _answer(work)
        with os.fdopen(out, "wb") as file:
            file.write(answer)
        code = 0
    finally:
        os._exit(code)


def _answer(work: Callable[[], R]) -> bytes:
    try:
        return pickle.dumps((None, work()), protocol=pickle.HIGHEST_PROTOCOL)
    except MemoryError:
        return pickle.dumps((MemoryError, None))
    except RecursionError:
        return pickle.dumps((RecursionError, None))
    except Exception as error:  # noqa: BLE001 - raised again in the parent
        error.add_note("in the child that reads:\n" + traceback.format_exc())
        try:
            return pickle.dumps((type(error), error))
        except Exception:  # noqa: BLE001 - one that cannot be sent
            return pickle.dumps((RuntimeError, RuntimeError(traceback.format_exc())))


def _bind_to_parent() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _limit(bounds: Bounds) -> None:
    _lower(resource.RLIMIT_CPU, int(bounds.wall_s) + TO_DIE_S)
    _lower(resource.RLIMIT_STACK, STACK_BYTES)
    _lower(resource.RLIMIT_CORE, 0)
    pages = Path("/proc/self/statm")
    if pages.exists():
        now = int(pages.read_text().split()[0]) * resource.getpagesize()
        _lower(resource.RLIMIT_AS, now + bounds.memory_bytes)


def _lower(which: int, most: int) -> None:
    """Where it is not lower already."""
    _, hard = resource.getrlimit(which)
    resource.setrlimit(which, (most if hard < 0 else min(most, hard), hard))


def _leave_files(kept: int) -> None:
    """All but the three that every process has, and the way back."""
    os.closerange(3, kept)
    os.closerange(kept + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
