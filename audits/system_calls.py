"""Programs by which the kernel is asked about every system call (seccomp(2)), put together here;
and the one for a process that only reads.

`only_reads` refuses what reading needs not: opening to write, removing and renaming, starting
programs and processes, sockets, signals to others, and what reaches into other processes and the
kernel. So bytes that take a parser over change nothing and tell nobody. Refused calls answer EPERM.
Does not cover: machines but Linux on x86-64 and arm64, where it says False; and what may be read.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

LOAD: Final = 0x20
EQUAL, AT_LEAST, ANY_BIT = 0x15, 0x35, 0x45  # of a word, with a constant
RETURN, ALLOW, ERRNO = 0x06, 0x7FFF0000, 0x00050000
NUMBER, ARCHITECTURE = 0, 4  # offsets
ARGUMENTS = (16, 24, 32)  # the same; low words, little-endian
X32: Final = 0x40000000  # numbers from here on are a second table on x86-64
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38
CLONE_THREAD: Final = 0x10000
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass(frozen=True, slots=True)
class Architecture:
    """Numbers of its own. Those from 424 on are the same on all."""

    audit: int
    clone: int
    socket: int
    # ptrace, process_vm_*, kcmp; add_key, request_key, keyctl; bpf, perf_event_open, userfaultfd,
    # fanotify_init; mount, umount2, pivot_root, chroot, unshare, setns; *_handle_at; modules,
    # kexec, reboot, swap, quota, acct, syslog; clocks; iopl, ioperm
    reaching: tuple[int, ...]
    # execve, execveat; unlink, rename, link, symlink, mkdir, rmdir, mknod, creat and the *at;
    # chmod, chown, truncate, setxattr, removexattr, utime; fork, vfork, tkill
    changing: tuple[int, ...]
    opening: tuple[tuple[int, int], ...]  # with the argument that holds the flags
    signalling: tuple[int, ...]  # the first argument is the process


MACHINES: Final = {
    "x86_64": Architecture(
        0xC000003E,
        *(56, 41),
        (
            *(101, 310, 311, 312, 248, 249, 250, 321, 298, 323, 300, 165, 166, 155, 161, 272, 308),
            *(303, 304, 175, 313, 176, 246, 320, 169, 167, 168, 179, 163, 103, 164, 227, 159, 305),
            *(172, 173),
        ),
        (
            *(59, 322, 87, 263, 82, 264, 316, 86, 265, 88, 266, 83, 258, 84, 133, 259, 85),
            *(90, 91, 268, 92, 93, 94, 260, 76, 77, 188, 189, 190, 197, 198, 199, 132, 235, 261),
            *(280, 57, 58, 200),
        ),
        ((2, 1), (257, 2)),
        (62, 234),
    ),
    "aarch64": Architecture(
        0xC00000B7,
        *(220, 198),
        (
            *(117, 270, 271, 272, 217, 218, 219, 280, 241, 282, 262, 40, 39, 41, 51, 97, 268),
            *(264, 265, 105, 273, 106, 104, 294, 142, 224, 225, 60, 89, 116, 170, 112, 171, 266),
        ),
        (
            *(221, 281, 35, 38, 276, 37, 36, 34, 33, 52, 53, 54, 55, 45, 46),
            *(5, 6, 7, 14, 15, 16, 88, 130),
        ),
        ((56, 2),),
        (129, 131),
    ),
}
# io_uring_*; open_tree .. fspick; process_madvise, mount_setattr, quotactl_fd, open_tree_attr
REACHING_EVERYWHERE = (425, 426, 427, *range(428, 434), 440, 442, 443, 467)
PIDFD_SEND_SIGNAL, OPENAT2, FCHMODAT2 = 424, 437, 452
CLONE3: Final = 435  # its flags lie in memory, where no filter can look; libraries go back to clone


class _Program(ctypes.Structure):
    _fields_ = (("n_instructions", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def only_reads() -> bool:
    """From now on, for ever, in this process and its threads. False where there is no filter."""
    machine = MACHINES.get(os.uname().machine) if sys.platform == "linux" else None
    if machine is None:
        return False
    try:
        install_program([*head(machine), *_reading(machine), allowed()])
    except OSError:
        return False
    return True


def _reading(machine: Architecture) -> Iterator[bytes]:
    for number in (*machine.reaching, *REACHING_EVERYWHERE, *machine.changing, machine.socket):
        yield from refused(number, errno.EPERM)
    for number in (PIDFD_SEND_SIGNAL, FCHMODAT2):
        yield from refused(number, errno.EPERM)
    for number in (CLONE3, OPENAT2):
        yield from refused(number, errno.ENOSYS)
    for number, flags in machine.opening:
        yield from _if(number, flags, jump(ANY_BIT, WRITES, 0, 1))
    yield from _if(machine.clone, 0, jump(ANY_BIT, CLONE_THREAD, 1, 0))
    for number in machine.signalling:
        yield from _if(number, 0, jump(EQUAL, os.getpid(), 1, 0))


def _if(number: int, argument: int, refuses: bytes) -> Iterator[bytes]:
    """Refuses a call where a test of one argument goes to the next instruction."""
    yield from (jump(EQUAL, number, 0, 4), load(ARGUMENTS[argument]), refuses)
    yield from (refusal(errno.EPERM), allowed())


def head(machine: Architecture) -> Iterator[bytes]:
    """Only its own table of calls; the number is loaded behind it."""
    yield from (load(ARCHITECTURE), jump(EQUAL, machine.audit, 1, 0), refusal(errno.ENOSYS))
    yield from (load(NUMBER), jump(AT_LEAST, X32, 0, 1), refusal(errno.ENOSYS))


def refused(number: int, error: int) -> Iterator[bytes]:
    """Whatever the arguments."""
    yield from (jump(EQUAL, number, 0, 1), refusal(error))


def load(offset: int) -> bytes:
    """A word of the call."""
    return _instruction(LOAD, 0, 0, offset)


def jump(test: int, value: int, if_true: int, if_false: int) -> bytes:
    """Over so many instructions."""
    return _instruction(test, if_true, if_false, value)


def refusal(error: int) -> bytes:
    """The call answers so."""
    return _instruction(RETURN, 0, 0, ERRNO | error)


def allowed() -> bytes:
    """The call is made."""
    return _instruction(RETURN, 0, 0, ALLOW)


def _instruction(code: int, if_true: int, if_false: int, value: int) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def install_program(program: Sequence[bytes]) -> None:
    """For this process and all that it starts, for ever. Raises OSError."""
    code = b"".join(program)
    held = ctypes.create_string_buffer(code, len(code))
    given = _Program(len(program), ctypes.addressof(held))
    libc, nothing = ctypes.CDLL(None, use_errno=True), ctypes.c_ulong(0)
    for option, first, second in (
        (PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), nothing),
        (PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), ctypes.byref(given)),
    ):
        if libc.prctl(ctypes.c_int(option), first, second, nothing, nothing) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"prctl {option}: {os.strerror(number)}")
