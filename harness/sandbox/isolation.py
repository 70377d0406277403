"""Isolates a run, out of Linux namespaces: no other program, no extra right is needed.

    filesystem  a root of its own: system and Python read-only; the stage, a fresh /tmp and /dev/shm
                writable; no home folders, no other files of this machine
    network     loopback only
    processes   sees and reaches none but its own
    limits      size of a file, memory (CPU runs), threads, no core dumps; no capability, and none
                of the system calls that reach past all this

As root the namespaces are made directly, else inside a user namespace. Where this machine refuses a
part, nothing starts (`NotIsolated`, with what was refused) unless the caller asked for less; then
the part is left out, and `active` names the others. Not covered: memory of the graphics card, time
on the processor, and flaws of the kernel itself.
"""

import contextlib
import fcntl
import os
import resource
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.closing import Closing
from harness.errors import NotIsolated
from harness.protocol.confinement import NOT_WHOLE, Confinement, IsolationAsked, IsolationPart
from harness.sandbox import syscall_filter, syscalls
from harness.sandbox.memory import most_memory
from harness.sandbox.rootfs import enter_root

MAX_TASKS = 4096  # threads of the user; the kernel lets user 0 pass, the supervisor does not
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1

_SPACES = {
    "network": syscalls.CLONE_NEWNET,
    "processes": syscalls.CLONE_NEWPID,
    "ipc": syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWCGROUP,
}


class Isolation(Closing):
    """Raised in two steps: made in the supervisor, `enter`ed in the init process below it."""

    def __init__(self, confinement: Confinement) -> None:
        """Makes what namespaces this machine allows, where any are asked for."""
        self._confinement = confinement
        self._root = confinement.out / "root"
        self._root.mkdir(exist_ok=True)
        self._refused: list[str] = []
        self._made = set[str]()
        if confinement.isolation is not IsolationAsked.NONE:
            self._made = self._unshared()
            if not self._made and _works(_own_user_space):
                _own_user_space()
                self._refused.clear()
                self._made = self._unshared()

    def close(self) -> None:
        """Takes the root's folder away."""
        with contextlib.suppress(OSError):  # not empty: the script was not kept from it
            self._root.rmdir()

    def enter(self, outs: Sequence[Path]) -> "Entered":
        """Isolates this process and its children. Raises NotIsolated where that was to be whole and
        is not.
        """
        active, folders = list[IsolationPart](), list[int]()
        if "processes" in self._made and self._tried(lambda: folders.extend(self._mount(outs))):
            active.append(IsolationPart.FILESYSTEM)
        else:
            folders = [os.open(out, os.O_PATH | os.O_DIRECTORY) for out in outs]
        if "network" in self._made and self._tried(_loopback_up):
            active.append(IsolationPart.NETWORK)
        if {"processes", "ipc"} <= self._made:
            active.append(IsolationPart.PROCESSES)
        os.chdir(self._confinement.seen_inside(active).stage)
        if all(self._tried(step) for step in self._bounds()):
            active.append(IsolationPart.LIMITS)
        self._require_whole(active)
        return Entered(tuple(active), folders)

    def _bounds(self) -> Iterator[Callable[[], object]]:
        yield lambda: _limit(self._confinement)
        yield syscalls.drop_privileges
        yield lambda: syscall_filter.install(self._confinement.device)

    def _require_whole(self, active: Sequence[IsolationPart]) -> None:
        missing = [part.name.lower() for part in IsolationPart if part not in active]
        if missing and self._confinement.isolation is IsolationAsked.WHOLE:
            why = f" ({'; '.join(dict.fromkeys(self._refused))})" if self._refused else ""
            raise NotIsolated(f"{NOT_WHOLE}: this machine gives it no {', '.join(missing)}{why}")

    def _mount(self, outs: Sequence[Path]) -> list[int]:
        # Here and not in the supervisor, which still needs the machine's own root.
        syscalls.unshare(syscalls.CLONE_NEWNS)
        return enter_root(self._confinement, self._root, outs)

    def _unshared(self) -> set[str]:
        return {
            name for name, flag in _SPACES.items() if self._tried(partial(syscalls.unshare, flag))
        }

    def _tried(self, step: Callable[[], object]) -> bool:
        try:
            step()
        except OSError as error:
            self._refused.append(str(error))
            return False
        return True


@dataclass(frozen=True)
class Entered:
    """What a process has once it is isolated."""

    active: tuple[IsolationPart, ...]
    out_fds: list[int]  # open descriptors of the folders that it may write besides the stage


def _works(step: Callable[[], object]) -> bool:
    """Whether the step would succeed, tried by a process that ends then."""
    process = os.fork()
    if process == 0:
        try:
            step()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(process, 0)[1] == 0


def _own_user_space() -> None:
    """The same user in a space of its own, where it may make the other namespaces.

    Half of it is worse than nothing: a user 0 that lacks CAP_SETFCAP gets the space (since Linux
    5.12), but may not be user 0 in it.
    """
    user, group = os.geteuid(), os.getegid()
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def _limit(confinement: Confinement) -> None:
    quota = confinement.quota
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: quota.file_bytes}
    limits[resource.RLIMIT_NPROC] = MAX_TASKS
    if (memory := most_memory(confinement)) is not None:
        limits[resource.RLIMIT_DATA] = memory
    for limit, value in limits.items():
        hard = resource.getrlimit(limit)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (bound, bound))
    with contextlib.suppress(OSError):  # the first to go when memory runs out
        Path("/proc/self/oom_score_adj").write_text("1000")
