"""The few Linux calls that Python 3.11 does not offer, and the end of a process tree.

Every function raises OSError as the kernel says it. Linux on x86-64 and arm64 only.
"""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from harness.errors import SandboxError

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND = 2, 4, 8, 4096
MS_REC, MS_PRIVATE = 16384, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP = 1, 4, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
CAPABILITY_VERSION_3 = 0x20080522
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
MOUNT_ATTR_RDONLY = 1
SYS_MOUNT_SETATTR = 442  # the same number on every architecture since Linux 5.12
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
DEAD_WITHIN_S = 30.0  # a killed process that holds gigabytes takes a while to go
REAP_INTERVAL_S = 0.005

_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns", ctypes.c_uint64),
    )


def unshare(flags: int) -> None:
    """New namespaces for this process (and for children, where it is the process namespace)."""
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """mount(2)."""
    words = [None if word is None else word.encode() for word in (source, target, kind)]
    result = _libc.mount(*words, ctypes.c_ulong(flags), options.encode() or None)
    _checked(result, f"mount {source} on {target}")


def set_read_only(target: str, read_only: bool, recursive: bool = True) -> None:
    """mount_setattr(2): a mount, and by default all below it, writable or not."""
    on, off = (MOUNT_ATTR_RDONLY, 0) if read_only else (0, MOUNT_ATTR_RDONLY)
    attributes = _MountAttributes(on, off, 0, 0)
    flags = AT_RECURSIVE if recursive else 0
    result = _libc.syscall(
        ctypes.c_long(SYS_MOUNT_SETATTR),
        ctypes.c_int(AT_FDCWD),
        ctypes.c_char_p(target.encode()),
        ctypes.c_uint(flags),
        ctypes.byref(attributes),
        ctypes.c_size_t(ctypes.sizeof(attributes)),
    )
    _checked(result, f"mount_setattr {target}")


def unmount(target: str) -> None:
    """Takes a mount, and all below it, out of sight; what is open on it stays open."""
    _checked(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def change_root(new_root: str) -> None:
    """This process sees `new_root` as `/`, and nothing else any more.

    OSError: nothing has changed. SandboxError: it has, but the old root could not be taken away.
    """
    os.chdir(new_root)
    number = SYS_PIVOT_ROOT[os.uname().machine]
    # Both "." : the old root ends up on top of the new one and is taken off (pivot_root(2), notes).
    result = _libc.syscall(ctypes.c_long(number), ctypes.c_char_p(b"."), ctypes.c_char_p(b"."))
    _checked(result, "pivot_root")
    try:
        unmount(".")
    except OSError as error:
        raise SandboxError(f"the old root is still there: {error}") from error
    os.chdir("/")


def drop_privileges() -> None:
    """No capability, now or through any program, even as user 0."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for capability in range(last + 1):
        with contextlib.suppress(OSError):  # one that this process may not drop, it does not hold
            _prctl(PR_CAPBSET_DROP, capability)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _checked(_libc.capset(header, nothing), "capset")


def hide_memory(*, hidden: bool = True) -> None:
    """Children of the same user can neither trace this process nor read its descriptors; or they
    can, and whoever watches for that user.
    """
    _prctl(PR_SET_DUMPABLE, 0 if hidden else 1)


def show_as(*words: str) -> None:
    """What this process was started as says nothing more, as far as the old words give room."""
    start, stop = map(int, _stat(Path("/proc/self"))[45:47])  # arg_start, arg_end
    text = b"".join(os.fsencode(word) + b"\0" for word in words)[: stop - start - 1]
    if start:  # 0 where the kernel does not tell
        ctypes.memset(start, 0, stop - start)
        ctypes.memmove(start, text, len(text))


def die_with_parent(by: signal.Signals = signal.SIGKILL) -> None:
    """The kernel sends this process a signal when its parent ends."""
    _prctl(PR_SET_PDEATHSIG, by)


def adopt_orphans() -> None:
    """Processes below this one become its children when their own parent ends."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def kill_descendants() -> None:
    """Ends every process below this one, and waits for each. Needs `adopt_orphans` before."""
    deadline = time.monotonic() + DEAD_WITHIN_S
    while alive := descendants():
        # All are stopped before any is killed: a tree that forks on would be a race.
        for stroke in (signal.SIGSTOP, signal.SIGKILL):
            for process in alive:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process, stroke)
        _reap()
        if time.monotonic() > deadline:
            raise OSError(f"processes {alive} do not end")
        time.sleep(REAP_INTERVAL_S)


def descendants() -> list[int]:
    """All processes below this one, parents before their children; those not waited for count."""
    parents = {int(entry.name): _parent(entry) for entry in Path("/proc").glob("[0-9]*")}
    found = [os.getpid()]
    for process in found:  # grows while it is read
        found += [child for child, parent in parents.items() if parent == process]
    return found[1:]


def threads(process: int) -> int:
    """How many it has; 0 of one that has ended."""
    return int(_stat(Path("/proc", str(process)))[17])


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            continue


def _parent(entry: Path) -> int:
    return int(_stat(entry)[1])


def _stat(entry: Path) -> Sequence[str]:
    """Its fields behind the name (proc_pid_stat(5)); zeros of one that has ended meanwhile."""
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["0"] * 50


def _prctl(option: int, value: int) -> None:
    rest = [ctypes.c_ulong(0)] * 3
    _checked(_libc.prctl(ctypes.c_int(option), ctypes.c_ulong(value), *rest), f"prctl {option}")


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
