"""Untrusted processes from their start to their end, below a process that watches them.

    this process ── init process ── the untrusted ones      (then what those start)

It makes the isolation, forks the init process into it, moves what is printed to the log, watches
the clock and the disk, and in the end kills everything below it: through the process namespace (the
kernel does it) or, where there is none, as the adoptive parent of every orphan.
Guarantees: `run_confined` ends in about the time limit, or when it is asked to by SIGTERM, and
nothing of the run is alive then.
"""

import contextlib
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from harness.protocol import traceback_origin
from harness.protocol.confinement import Confinement, IsolationPart
from harness.protocol.job import Left, RunState
from harness.sandbox import syscalls
from harness.sandbox.exit_status import Stopped
from harness.sandbox.init_process import Untrusted, become_init_process
from harness.sandbox.isolation import MAX_TASKS, Entered, Isolation
from harness.sandbox.memory import most_memory, taken_bytes
from harness.sandbox.output_log import OutputLog
from harness.sandbox.quota import DiskWatch, keep_plain_files

WATCH_INTERVAL_S = 0.5  # between two looks at what the run takes
PIPE_BYTES = 1 << 16  # all that fits a pipe, which is all that is said through one


class HarnessGone(BaseException):
    """Nobody waits for the outcome any more."""


@dataclass(frozen=True)
class Pipe:
    """A one-way channel between processes."""

    read: int
    write: int

    @classmethod
    def open(cls) -> "Pipe":
        """Reading never waits."""
        read, write = os.pipe()
        os.set_blocking(read, False)
        return cls(read, write)

    def content(self) -> str:
        """What is in it now."""
        try:
            return os.read(self.read, PIPE_BYTES).decode(errors="replace")
        except BlockingIOError:
            return ""


@dataclass(frozen=True)
class Inner:
    """What is to run: one function that says who, in the isolation, and one for where it failed."""

    processes: Callable[[Entered], Sequence[Untrusted]]
    refused: Callable[[str], None]  # is told the cause, in the process that was to become them
    descriptors: Sequence[int]  # theirs alone


@dataclass(frozen=True)
class Ended:
    """How it went."""

    wall_s: float
    isolation: tuple[IsolationPart, ...]  # that was active
    stopped: Stopped | None  # None: it ended by itself
    statuses: Sequence[str]  # one a process: wait status, or "-"
    left: Left


def run_confined(
    confinement: Confinement,
    inner: Inner,
    log_file: Path,
    outs: Sequence[Path],
    appended: Sequence[OutputLog] = (),
) -> Ended:
    """Runs it below this process, which is changed by it: fork first. `outs`: folders of ours that
    it may write into; `appended`: what it can only add to.
    """
    syscalls.adopt_orphans()
    signal.signal(signal.SIGTERM, _on_term)
    for out in outs:
        out.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    statuses = Pipe.open()
    with _logged(log_file, confinement) as log, Isolation(confinement) as isolation:
        init = os.fork()
        if init == 0:
            _enter(isolation, inner, outs, log.write_fd, statuses.write)
        try:
            for write in (log.write_fd, statuses.write, *inner.descriptors):
                os.close(write)
            disk = DiskWatch(confinement.stage, outs, confinement.quota)
            stopped = _watch(confinement, disk, [log, *appended], init)
        finally:
            syscalls.kill_descendants()
            for one in appended:
                one.drain()
    wall_s = time.monotonic() - begun
    for out in outs:
        keep_plain_files(out)
    active, *ended = statuses.content().split("\n")[:-1] or [""]
    seen = Left(**json.loads(ended.pop())) if ended else Left()
    left = replace(seen, most_bytes=disk.most_bytes)
    return Ended(wall_s, tuple(map(IsolationPart, active.split())), stopped, ended, left)


@contextlib.contextmanager
def _logged(file: Path, confinement: Confinement) -> Iterator[OutputLog]:
    log = OutputLog(file, confinement.quota.log_bytes)
    try:
        yield log
    finally:
        log.drain()


def _enter(
    isolation: Isolation, inner: Inner, outs: Sequence[Path], output_fd: int, status_fd: int
) -> NoReturn:
    syscalls.die_with_parent()
    for ending in (signal.SIGTERM, signal.SIGINT):  # from inside they do nothing to a process 1
        signal.signal(ending, signal.SIG_DFL)
    try:
        entered = isolation.enter(outs)
        os.write(status_fd, (" ".join(entered.active) + "\n").encode())
        become_init_process(inner.processes(entered), output_fd, status_fd)
    except BaseException as error:  # noqa: BLE001 - never back into the supervisor's code
        with contextlib.suppress(OSError):  # of a pipe that nobody reads any more
            traceback.print_exc(file=sys.stderr)
            inner.refused(traceback_origin.cause_of(error))
        os._exit(1)


def _on_term(*_: object) -> NoReturn:
    raise HarnessGone


def _watch(
    confinement: Confinement, disk: DiskWatch, logs: Sequence[OutputLog], init: int
) -> Stopped | None:
    """Waits for the init process. Says why it was given up, None if it ended itself."""
    limit_s = confinement.time_limit_s
    deadline = time.monotonic() + limit_s
    next_look = 0.0
    end = os.pidfd_open(init)
    poller = select.poll()
    poller.register(end, select.POLLIN)
    by_descriptor = {log.read_fd: log for log in logs}
    for descriptor in by_descriptor:
        poller.register(descriptor, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poller.poll(WATCH_INTERVAL_S * 1000)}
        for descriptor in ready & by_descriptor.keys():
            if not by_descriptor[descriptor].pump():
                poller.unregister(descriptor)
        if end in ready:
            return None
        now = time.monotonic()
        if now > deadline:
            return Stopped(RunState.TIMED_OUT, f"no end within its {limit_s:.0f} s")
        if now > next_look:
            if overrun := _overrun(confinement, disk):
                return Stopped(RunState.FAILED, overrun)
            next_look = time.monotonic() + WATCH_INTERVAL_S


def _overrun(confinement: Confinement, disk: DiskWatch) -> str:
    """The limit that is passed; empty while there is none."""
    processes, most = syscalls.descendants(), confinement.quota.processes
    if len(processes) > most:
        return f"started more than {most:,} processes"
    if sum(map(syscalls.threads, processes)) > MAX_TASKS:
        return f"started more than {MAX_TASKS:,} threads"
    memory = most_memory(confinement)
    if memory is not None and taken_bytes(processes, memory) > memory:
        return f"took more than {memory:,} bytes of memory"
    return disk.overrun(processes)
