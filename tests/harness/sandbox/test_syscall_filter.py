"""System calls that untrusted processes are refused: each is asked for, in a process of its own."""

import errno
import json
import os
import subprocess
import sys

import pytest

from audits.system_calls import MACHINES, REACHING_EVERYWHERE
from harness.sandbox.syscall_filter import UNCOUNTED

# Every number is asked for with arguments that no call takes for sound: nothing happens where the
# filter lets one pass.
_ASKING = """
import ctypes, json, os, socket, sys, threading
from harness.sandbox import syscall_filter, syscalls
libc = ctypes.CDLL(None, use_errno=True)
syscalls.drop_privileges()
syscall_filter.install(sys.argv[1])

def asked(number, *arguments):
    ctypes.set_errno(0)
    libc.syscall(ctypes.c_long(number), *(ctypes.c_long(a) for a in (*arguments, -1, -1, -1, -1)))
    return ctypes.get_errno()

def opened(*how):
    try:
        socket.socket(*how).close()
        return 0
    except OSError as error:
        return error.errno

machine = syscall_filter.MACHINES[os.uname().machine]
numbers = (*machine.reaching, *syscall_filter.REACHING_EVERYWHERE)
answers = {"refused": [asked(n) for n in numbers]}
answers["uncounted"] = [asked(n, 0, 1, -1) for n in syscall_filter.UNCOUNTED[os.uname().machine]]
answers["clone"] = [asked(machine.clone, flag) for flag in (1 << 28, 1 << 17, 1 << 30, 1 << 25)]
answers["clone3"] = asked(435)
answers["rare"] = [opened(f, t) for f, t in ((40, 1), (38, 5), (17, 3), (44, 3), (29, 3), (16, 3))]
answers["rare"].append(opened(16, 3, 15))
answers["usual"] = [opened(1, 1), opened(2, 1), opened(2, 2), opened(10, 2), opened(16, 3, 0)]
answers["x32"] = asked(0x40000000 + 39)
thread = threading.Thread(target=print); thread.start(); thread.join()
answers["waited"] = os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)[1]
if not os.fork():
    os._exit(asked(numbers[0]))
answers["child"] = os.waitstatus_to_exitcode(os.wait()[1])
print(json.dumps(answers))
"""


def _answers(device: str) -> dict[str, object]:
    asking = [sys.executable, "-c", _ASKING, device]
    said = subprocess.run(asking, capture_output=True, text=True, check=True).stdout
    return json.loads(said.strip().splitlines()[-1])


@pytest.mark.skipif(os.uname().machine not in MACHINES, reason="no filter for this machine")
def test_what_no_script_needs_is_refused_and_the_usual_goes_on() -> None:
    """Also in children; threads, processes and the usual sockets work as ever."""
    told = _answers("cpu")
    machine = MACHINES[os.uname().machine]
    n_refused = len(machine.reaching) + len(REACHING_EVERYWHERE)
    assert told["refused"] == [errno.EPERM] * n_refused
    assert told["uncounted"] == [errno.ENOSYS] * len(UNCOUNTED[os.uname().machine])
    assert told["clone"] == [errno.EPERM] * 4 and told["clone3"] == errno.ENOSYS
    assert set(told["rare"][:5]) == {errno.EAFNOSUPPORT} and told["rare"][-1] == errno.EAFNOSUPPORT
    assert told["rare"][5] == 0  # netlink about interfaces
    assert not {errno.EPERM, errno.EACCES} & set(told["usual"])
    assert told["waited"] == 0 and told["child"] == errno.EPERM
    assert os.uname().machine != "x86_64" or told["x32"] == errno.ENOSYS


@pytest.mark.skipif(os.uname().machine not in MACHINES, reason="no filter for this machine")
def test_a_run_on_a_gpu_may_share_memory() -> None:
    """CUDA does; nothing else is different."""
    told = _answers("cuda")
    assert errno.ENOSYS not in told["uncounted"] and set(told["refused"]) == {errno.EPERM}
