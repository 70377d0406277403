"""One job from its start to its end, in a process of its own: the keeper.

    nursery ── keeper ── first process ── rank 0, rank 1, ...      (then whatever the script starts)

The keeper raises the walls, forks the first process into them, moves what the script prints to the
log, watches the clock and the disk, and in the end kills everything below it: through the process
namespace (the kernel does it) or, where there is none, as the adoptive parent of every orphan.
Guarantees: `run_session` ends in about the time limit, or when it is asked to by SIGTERM, and
nothing of the run is alive then.
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

from harness.inside.rank import Message, Rank, say
from harness.protocol import traceback_origin
from harness.protocol.job import How, Job, Outcome
from harness.sandbox import syscalls
from harness.sandbox.exit_status import outcome_of
from harness.sandbox.init_process import be_first
from harness.sandbox.isolation import Walls
from harness.sandbox.output_log import JobLog
from harness.sandbox.quota import DiskWatch, keep_plain_files

LOOK_S = 0.5  # between two looks at what the run takes
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


def run_session(job: Job) -> Outcome:
    """Runs the job below this process, which is changed by it: fork first."""
    syscalls.adopt_orphans()
    signal.signal(signal.SIGTERM, _on_term)
    outs = [job.out / f"rank{rank}" for rank in range(job.ranks)]
    for out in outs:
        out.mkdir(parents=True, exist_ok=True)
    log, statuses = JobLog(job.log, job.quota.log_bytes), _Pipe.open()
    messages = [_Pipe.open() for _ in outs]
    begun = time.monotonic()
    with Walls(job) as walls:
        first = os.fork()
        if first == 0:
            _enter(job, walls, outs, messages, log.write_fd, statuses.write)
        try:
            for write in (log.write_fd, statuses.write, *(pipe.write for pipe in messages)):
                os.close(write)
            stopped = _watch(job, DiskWatch(job.stage, outs, job.quota), log, first)
        finally:
            syscalls.kill_descendants()
    wall_s = time.monotonic() - begun
    log.drain()
    for out in outs:
        keep_plain_files(out)
    said = [pipe.content() for pipe in messages]
    standing, *ended = statuses.content().split("\n")[:-1] or [""]
    return outcome_of(job, wall_s, stopped, ended, said, tuple(standing.split()))


def _enter(
    job: Job,
    walls: Walls,
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
        inside = walls.enter(outs)
        os.write(status_fd, (" ".join(inside.standing) + "\n").encode())
        port = _free_port() if job.ranks > 1 else 0
        ranks = [
            Rank(job, rank, port, stream, inside.out_fds[rank], messages[rank].write, deadline)
            for rank in range(job.ranks)
        ]
        be_first(ranks, output_fd, status_fd)
    except BaseException as error:  # noqa: BLE001 - never back into the keeper's code
        traceback.print_exc(file=sys.stderr)
        say(messages[0].write, Message(False, 1, traceback_origin.cause_of(error), ""))
        os._exit(1)


def _on_term(*_: object) -> NoReturn:
    raise HarnessGone


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _watch(job: Job, disk: DiskWatch, log: JobLog, first: int) -> tuple[How, str] | None:
    """Waits for the first process. Says how and why it was given up, None if it ended itself."""
    deadline = time.monotonic() + job.time_limit_s
    next_look = 0.0
    end = os.pidfd_open(first)
    poller = select.poll()
    poller.register(end, select.POLLIN)
    poller.register(log.read_fd, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poller.poll(LOOK_S * 1000)}
        if log.read_fd in ready and not log.pump():
            poller.unregister(log.read_fd)
        if end in ready:
            return None
        now = time.monotonic()
        if now > deadline:
            return How.TIMED_OUT, f"no end within its {job.time_limit_s:.0f} s"
        if now > next_look:
            if overrun := disk.overrun() or _too_many(job):
                return How.FAILED, overrun
            next_look = time.monotonic() + LOOK_S


def _too_many(job: Job) -> str:
    most = job.quota.processes
    return f"started more than {most:,} processes" if len(syscalls.descendants()) > most else ""
