"""One job from its start to its end, in a process of its own: the supervisor.

    fork server ── supervisor ── init process ── rank 0, rank 1, ...     (then what a script starts)

It makes the isolation, forks the init process into it, moves what the script prints to the log,
watches the clock and the disk, and in the end kills everything below it: through the process
namespace (the kernel does it) or, where there is none, as the adoptive parent of every orphan.
Guarantees: `supervise` ends in about the time limit, or when it is asked to by SIGTERM, and nothing
of the run is alive then.
"""

import os
import select
import signal
import socket
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from harness.inside.rank import Rank, say_last
from harness.protocol import traceback_origin
from harness.protocol.confinement import IsolationPart
from harness.protocol.job import Job, Outcome, RunState
from harness.protocol.message import EndMessage
from harness.sandbox import syscalls
from harness.sandbox.exit_status import Remains, Stopped, outcome_of
from harness.sandbox.init_process import become_init_process
from harness.sandbox.isolation import Isolation
from harness.sandbox.output_log import OutputLog
from harness.sandbox.quota import DiskWatch, keep_plain_files

WATCH_INTERVAL_S = 0.5  # between two looks at what the run takes
PIPE_BYTES = 1 << 16  # all that fits a pipe, which is all that a rank says


class HarnessGone(BaseException):
    """Nobody waits for the outcome any more."""


@dataclass(frozen=True)
class _Pipe:
    """A one-way channel between processes."""

    read: int
    write: int

    @classmethod
    def open(cls) -> "_Pipe":
        read, write = os.pipe()
        os.set_blocking(read, False)
        return cls(read, write)

    def content(self) -> str:
        """What is in it now."""
        try:
            return os.read(self.read, PIPE_BYTES).decode(errors="replace")
        except BlockingIOError:
            return ""


def supervise(job: Job) -> Outcome:
    """Runs the job below this process, which is changed by it: fork first."""
    syscalls.adopt_orphans()
    signal.signal(signal.SIGTERM, _on_term)
    outs = [job.out / f"rank{rank}" for rank in range(job.ranks)]
    for out in outs:
        out.mkdir(parents=True, exist_ok=True)
    log, statuses = OutputLog(job.log, job.quota.log_bytes), _Pipe.open()
    messages = [_Pipe.open() for _ in outs]
    begun = time.monotonic()
    with Isolation(job) as isolation:
        init = os.fork()
        if init == 0:
            _enter(job, isolation, outs, messages, log.write_fd, statuses.write)
        try:
            for write in (log.write_fd, statuses.write, *(pipe.write for pipe in messages)):
                os.close(write)
            stopped = _watch(job, DiskWatch(job.stage, outs, job.quota), log, init)
        finally:
            syscalls.kill_descendants()
    wall_s = time.monotonic() - begun
    log.drain()
    for out in outs:
        keep_plain_files(out)
    said = [pipe.content() for pipe in messages]
    active, *ended = statuses.content().split("\n")[:-1] or [""]
    parts = tuple(map(IsolationPart, active.split()))
    return outcome_of(job, Remains(wall_s, parts, stopped, ended, said))


def _enter(
    job: Job,
    isolation: Isolation,
    outs: list[Path],
    messages: list[_Pipe],
    output_fd: int,
    status_fd: int,
) -> NoReturn:
    syscalls.die_with_parent()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    deadline = time.monotonic() + job.time_limit_s
    try:
        stream = np.load(job.stream).astype(np.int64) if job.capture else None
        entered = isolation.enter(outs)
        os.write(status_fd, (" ".join(entered.active) + "\n").encode())
        port = _free_port() if job.ranks > 1 else 0
        ranks = [
            Rank(job, rank, port, stream, entered.out_fds[rank], messages[rank].write, deadline)
            for rank in range(job.ranks)
        ]
        become_init_process(ranks, output_fd, status_fd)
    except BaseException as error:  # noqa: BLE001 - never back into the supervisor's code
        traceback.print_exc(file=sys.stderr)
        say_last(messages[0].write, EndMessage(False, 1, traceback_origin.cause_of(error), ""))
        os._exit(1)


def _on_term(*_: object) -> NoReturn:
    raise HarnessGone


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _watch(job: Job, disk: DiskWatch, log: OutputLog, init: int) -> Stopped | None:
    """Waits for the init process. Says why it was given up, None if it ended itself."""
    deadline = time.monotonic() + job.time_limit_s
    next_look = 0.0
    end = os.pidfd_open(init)
    poller = select.poll()
    poller.register(end, select.POLLIN)
    poller.register(log.read_fd, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poller.poll(WATCH_INTERVAL_S * 1000)}
        if log.read_fd in ready and not log.pump():
            poller.unregister(log.read_fd)
        if end in ready:
            return None
        now = time.monotonic()
        if now > deadline:
            return Stopped(RunState.TIMED_OUT, f"no end within its {job.time_limit_s:.0f} s")
        if now > next_look:
            if overrun := disk.overrun() or _too_many(job):
                return Stopped(RunState.FAILED, overrun)
            next_look = time.monotonic() + WATCH_INTERVAL_S


def _too_many(job: Job) -> str:
    most = job.quota.processes
    return f"started more than {most:,} processes" if len(syscalls.descendants()) > most else ""
