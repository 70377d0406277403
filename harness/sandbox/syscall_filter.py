"""System calls that an untrusted process and all it starts are refused: a BPF program, assembled
here and given to the kernel (seccomp(2)).

Refused is what no script needs and what reaches past the other walls: into other processes'
memory, into new namespaces and mounts, into keyrings, kernel modules and clocks, and the surfaces
with a long record of flaws (bpf, perf, userfaultfd, io_uring, rare socket families). On a CPU also
memory that no limit counts (memfd, System V). What is refused answers EPERM, or as a kernel does
that lacks it, so that a library falls back. Everything else is allowed: this is no list of what is
good. Needs no_new_privs. Not covered: calls by number on other architectures than these two.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from harness.sandbox import syscalls

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # of a word, with a constant
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
NUMBER, ARCHITECTURE, ARGUMENT_0, ARGUMENT_2 = 0, 4, 16, 32  # offsets; low words, little-endian
X32 = 0x40000000  # numbers from here on are a second table on x86-64
NEW_NAMESPACE = 0x7E020000  # any CLONE_NEW* of clone(2)


@dataclass(frozen=True)
class Machine:
    """One architecture. Numbers from 424 on are the same on all."""

    audit: int
    clone: int
    socket: int
    refused: tuple[int, ...]
    uncounted: tuple[int, ...]  # memory


# ptrace, process_vm_*, kcmp; add_key, request_key, keyctl; bpf, perf_event_open, userfaultfd,
# fanotify_init; mount, umount2, pivot_root, chroot, unshare, setns; *_handle_at; modules, kexec,
# reboot, swap, quota, acct, syslog; clocks. Then memfd_create, shmget, msgget, semget.
MACHINES = {
    "x86_64": Machine(
        0xC000003E,
        *(56, 41),
        (
            *(101, 310, 311, 312, 248, 249, 250, 321, 298, 323, 300, 165, 166, 155, 161, 272, 308),
            *(303, 304, 175, 313, 176, 246, 320, 169, 167, 168, 179, 163, 103, 164, 227, 159, 305),
            *(172, 173),  # iopl, ioperm
        ),
        (319, 29, 68, 64),
    ),
    "aarch64": Machine(
        0xC00000B7,
        *(220, 198),
        (
            *(117, 270, 271, 272, 217, 218, 219, 280, 241, 282, 262, 40, 39, 41, 51, 97, 268),
            *(264, 265, 105, 273, 106, 104, 294, 142, 224, 225, 60, 89, 116, 170, 112, 171, 266),
        ),
        (279, 194, 186, 190),
    ),
}
# io_uring_*; open_tree .. fspick; process_madvise, mount_setattr, quotactl_fd, open_tree_attr
REFUSED_EVERYWHERE = (425, 426, 427, *range(428, 434), 440, 442, 443, 467)
CLONE3, PIDFD_GETFD, MEMFD_SECRET = 435, 438, 447


def install(device: str) -> None:
    """For this process and all that it starts, for ever. Raises OSError."""
    machine = MACHINES.get(os.uname().machine)
    if machine is None:
        raise OSError(errno.ENOSYS, f"no filter of system calls for {os.uname().machine}")
    program = b"".join(_program(machine, device))
    syscalls.filter_calls(ctypes.create_string_buffer(program, len(program)), len(program) // 8)


def _program(machine: Machine, device: str) -> Iterator[bytes]:
    yield from (_load(ARCHITECTURE), _jump(EQUAL, machine.audit, 1, 0), _refusal(errno.ENOSYS))
    yield from (_load(NUMBER), _jump(AT_LEAST, X32, 0, 1), _refusal(errno.ENOSYS))
    for number in (*machine.refused, *REFUSED_EVERYWHERE):
        yield from _refused(number, errno.EPERM)
    # Its flags lie in memory, where no filter can look; libraries go back to clone.
    yield from _refused(CLONE3, errno.ENOSYS)
    if device == "cpu":  # CUDA passes descriptors and memory between its processes so
        for number in (*machine.uncounted, PIDFD_GETFD, MEMFD_SECRET):
            yield from _refused(number, errno.ENOSYS)
    yield from _clone(machine.clone)
    yield from _socket(machine.socket)
    yield _allowed()


def _refused(number: int, error: int) -> Iterator[bytes]:
    yield from (_jump(EQUAL, number, 0, 1), _refusal(error))


def _clone(number: int) -> Iterator[bytes]:
    yield from (_jump(EQUAL, number, 0, 4), _load(ARGUMENT_0), _jump(ANY_BIT, NEW_NAMESPACE, 0, 1))
    yield from (_refusal(errno.EPERM), _allowed())


def _socket(number: int) -> Iterator[bytes]:
    """Unix, IPv4, IPv6, and of netlink the questions about interfaces that libraries ask."""
    unix, inet, inet6, netlink, route = 1, 2, 10, 16, 0
    yield from (_jump(EQUAL, number, 0, 9), _load(ARGUMENT_0))
    yield from (_jump(EQUAL, unix, 5, 0), _jump(EQUAL, inet, 4, 0), _jump(EQUAL, inet6, 3, 0))
    yield from (_jump(EQUAL, netlink, 0, 3), _load(ARGUMENT_2), _jump(EQUAL, route, 0, 1))
    yield from (_allowed(), _refusal(errno.EAFNOSUPPORT))


def _load(offset: int) -> bytes:
    return _instruction(LOAD, 0, 0, offset)


def _jump(test: int, value: int, if_true: int, if_false: int) -> bytes:
    """Over so many instructions."""
    return _instruction(test, if_true, if_false, value)


def _refusal(error: int) -> bytes:
    return _instruction(RETURN, 0, 0, ERRNO | error)


def _allowed() -> bytes:
    return _instruction(RETURN, 0, 0, ALLOW)


def _instruction(code: int, if_true: int, if_false: int, value: int) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)
