"""The init process of a run: isolated like its ranks (or its one worker), above them.

It forks the ranks, takes in orphans, and ends when all ranks have ended, or shortly after one has
failed, as torchrun does. Where there is a process namespace it is process 1 there: no process
inside can kill it, and its end is the end of all of them. It tells the supervisor the ranks'
exit statuses, and what they left running.
"""

import contextlib
import dataclasses
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from harness.protocol.job import Left
from harness.sandbox import syscalls

OTHER_RANKS_GRACE_S = 2.0  # once one has failed
WAIT_INTERVAL_S = 0.02
HELPERS_GRACE_S = 2.0  # in which helpers of Python and of compilers see that their parent is gone


@dataclass(frozen=True)
class Untrusted:
    """A process to be."""

    descriptors: Sequence[int]  # that stay open in it, besides the standard three
    become: Callable[[], NoReturn]


def become_init_process(ranks: Sequence[Untrusted], output_fd: int, status_fd: int) -> NoReturn:
    """Runs the ranks. `output_fd` becomes their stdout and stderr."""
    syscalls.hide_memory()
    processes = [_fork_rank(rank, output_fd) for rank in ranks]
    os.close(output_fd)
    statuses = _statuses(processes)
    ended_well = all(line == "0" for line in statuses.split())
    left = Left(ended_well and _still_running(), _unreachable())
    os.write(status_fd, f"{statuses}{json.dumps(dataclasses.asdict(left))}\n".encode())
    os._exit(0)


def _fork_rank(rank: Untrusted, output_fd: int) -> int:
    process = os.fork()
    if process == 0:
        _become_rank(rank, output_fd)
    return process


def _become_rank(rank: Untrusted, output_fd: int) -> NoReturn:
    syscalls.die_with_parent()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # as in any Python
    os.setsid()  # no terminal, and a group of its own for scripts that signal theirs
    null = os.open(os.devnull, os.O_RDONLY)
    for descriptor, source in ((0, null), (1, output_fd), (2, output_fd)):
        os.dup2(source, descriptor)
    _close_all_but(0, 1, 2, *rank.descriptors)
    syscalls.hide_memory(hidden=False)  # an ordinary user's supervisor has to look at it
    syscalls.show_as(sys.executable)
    sys.orig_argv = [sys.executable]
    try:
        rank.become()
    finally:
        os._exit(1)  # whatever the script did to the code that ends it: never back into ours


def _close_all_but(*kept: int) -> None:
    for entry in os.listdir("/proc/self/fd"):
        if int(entry) not in kept:
            with contextlib.suppress(OSError):  # the one that listed the folder
                os.close(int(entry))


def _statuses(processes: list[int]) -> str:
    """One line a rank, in order: its wait status, or "-" for one that was not waited for."""
    statuses: dict[int, int] = {}
    deadline = None
    while not set(processes) <= statuses.keys():
        if deadline is not None and time.monotonic() > deadline:
            break
        process, status = os.waitpid(-1, 0 if deadline is None else os.WNOHANG)
        if process == 0:
            time.sleep(WAIT_INTERVAL_S)
        statuses[process] = status
        if process in processes and status != 0 and deadline is None:
            deadline = time.monotonic() + OTHER_RANKS_GRACE_S
            for other in set(processes) - statuses.keys():
                os.kill(other, signal.SIGTERM)
    return "".join(f"{statuses.get(process, '-')}\n" for process in processes)


def _still_running() -> bool:
    """Whether a process lives on, a while after the ranks; not known where orphans are not taken in
    here.
    """
    if os.getpid() != 1:
        return False
    deadline = time.monotonic() + HELPERS_GRACE_S
    while (alive := _has_children()) and time.monotonic() < deadline:
        time.sleep(WAIT_INTERVAL_S)
    return alive


def _has_children() -> bool:
    """Of those that have ended, the ends are taken in."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            continue
    except ChildProcessError:
        return False
    return True


def _unreachable() -> int:
    """Packets that had no way out of this network: the kernel counts them."""
    try:
        lines = Path("/proc/self/net/snmp").read_text().splitlines()
        names, numbers = [line.split() for line in lines if line.startswith("Ip:")]
        return int(numbers[names.index("OutNoRoutes")])
    except (OSError, ValueError):
        return 0
