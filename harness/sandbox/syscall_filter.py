"""System calls that an untrusted process and all it starts are refused.

Refused is what no script needs and what reaches past the other walls: into other processes'
memory, into new namespaces and mounts, into keyrings, kernel modules and clocks, and the surfaces
with a long record of flaws (bpf, perf, userfaultfd, io_uring, rare socket families). On a CPU also
memory that no limit counts (memfd, System V). What is refused answers EPERM, or as a kernel does
that lacks it, so that a library falls back. Everything else is allowed: this is no list of what is
good. Needs no_new_privs. Not covered: calls by number on other architectures than these two.
"""

import errno
import os
from collections.abc import Iterator

from audits.system_calls import (
    ANY_BIT,
    ARGUMENTS,
    CLONE3,
    EQUAL,
    MACHINES,
    REACHING_EVERYWHERE,
    Architecture,
    allowed,
    head,
    install_program,
    jump,
    load,
    refusal,
    refused,
)

NEW_NAMESPACE = 0x7E020000  # any CLONE_NEW* of clone(2)
# Memory: memfd_create, shmget, msgget, semget; pidfd_getfd, memfd_secret.
UNCOUNTED = {"x86_64": (319, 29, 68, 64), "aarch64": (279, 194, 186, 190)}
UNCOUNTED_EVERYWHERE = (438, 447)


def install(device: str) -> None:
    """For this process and all that it starts, for ever. Raises OSError."""
    name = os.uname().machine
    machine = MACHINES.get(name)
    if machine is None:
        raise OSError(errno.ENOSYS, f"no filter of system calls for {name}")
    # CUDA passes descriptors and memory between its processes so.
    uncounted = (*UNCOUNTED[name], *UNCOUNTED_EVERYWHERE) if device == "cpu" else ()
    install_program([*_program(machine, uncounted)])


def _program(machine: Architecture, uncounted: tuple[int, ...]) -> Iterator[bytes]:
    yield from head(machine)
    for number in (*machine.reaching, *REACHING_EVERYWHERE):
        yield from refused(number, errno.EPERM)
    for number in (CLONE3, *uncounted):
        yield from refused(number, errno.ENOSYS)
    yield from _clone(machine.clone)
    yield from _socket(machine.socket)
    yield allowed()


def _clone(number: int) -> Iterator[bytes]:
    yield from (jump(EQUAL, number, 0, 4), load(ARGUMENTS[0]), jump(ANY_BIT, NEW_NAMESPACE, 0, 1))
    yield from (refusal(errno.EPERM), allowed())


def _socket(number: int) -> Iterator[bytes]:
    """Unix, IPv4, IPv6, and of netlink the questions about interfaces that libraries ask."""
    unix, inet, inet6, netlink, route = 1, 2, 10, 16, 0
    yield from (jump(EQUAL, number, 0, 9), load(ARGUMENTS[0]))
    yield from (jump(EQUAL, unix, 5, 0), jump(EQUAL, inet, 4, 0), jump(EQUAL, inet6, 3, 0))
    yield from (jump(EQUAL, netlink, 0, 3), load(ARGUMENTS[2]), jump(EQUAL, route, 0, 1))
    yield from (allowed(), refusal(errno.EAFNOSUPPORT))
