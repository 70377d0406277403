"""What a script may take: processes, memory, disk, names, time, room in its log."""

from collections.abc import Sequence

from harness.doctor.check import Check, Seen, ends_as
from harness.protocol.confinement import IsolationPart, Quota
from harness.protocol.job import RunState

FAILED, TIMED_OUT, ENDED = RunState.FAILED, RunState.TIMED_OUT, RunState.ENDED
FILES = (IsolationPart.FILESYSTEM,)
MB = 1 << 20


def _bomb(
    what: str,
    text: str,
    causes: Sequence[str],
    quota: Quota,
    *,
    fast: bool = False,
    needs: tuple[IsolationPart, ...] = (),
) -> Check:
    expected = ends_as(FAILED, *causes)
    return Check(what, (f"import os, time\n{text}",), expected, needs, quota, fast=fast)


def _log_is_cut(seen: Seen) -> str:
    size = (seen.out / "output.log").stat().st_size
    return "" if size < 2 * MB else f"its log has {size:,} bytes"


RESOURCES = (
    _bomb(
        "a fork bomb",
        "while True:\n    if not os.fork():\n        os.setsid()",
        ["processes"],
        Quota(processes=30),
        fast=True,
    ),
    _bomb(
        "more threads than there may be",
        """
import threading
threading.stack_size(65536)
try:
    for _ in range(6000):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
except RuntimeError:
    os._exit(3)  # refused by the kernel
time.sleep(20)
""",
        ["threads", "exit code 3"],
        Quota(),
    ),
    _bomb(
        "memory of its own",
        "held = b'x' * (1 << 31)\ntime.sleep(20)",
        ["MemoryError", "of memory"],
        Quota(memory_bytes=1024 * MB),
    ),
    _bomb(
        "memory that it shares",
        f"import mmap\nheld = mmap.mmap(-1, {800 * MB})\n"
        f"for _ in range(800):\n    held.write(bytes({MB}))\ntime.sleep(20)",
        ["of memory"],
        Quota(memory_bytes=600 * MB),
    ),
    _bomb(
        "memory of many processes, each below the limit",
        f"""
import mmap
for _ in range(6):
    if not os.fork():
        held = bytearray({200 * MB})
        for at in range(0, len(held), 4096):
            held[at] = 1
        time.sleep(30)
time.sleep(30)
""",
        ["of memory"],
        Quota(memory_bytes=800 * MB),
    ),
    Check(
        "memory without a name (memfd)",
        (
            "import os\ntry:\n    os.memfd_create('x')\n    print('reached it')\n"
            "except OSError:\n    pass\nprint('done')",
        ),
        needs=(IsolationPart.LIMITS,),
        fast=True,
    ),
    _bomb(
        "a disk bomb",
        f"for n in range(99):\n    open(f'{{n}}', 'wb').write(bytes({2 * MB}))\n"
        "    time.sleep(0.01)\ntime.sleep(20)",
        ["bytes"],
        Quota(stage_bytes=20 * MB),
    ),
    _bomb(
        "files that are unlinked and open",
        f"""
held = []
for n in range(30):
    held.append(open(f"{{n}}", "wb", buffering=0))
    os.unlink(f"{{n}}")
    held[-1].write(bytes({2 * MB}))
time.sleep(20)
""",
        ["bytes"],
        Quota(stage_bytes=20 * MB),
    ),
    _bomb(
        "an inode bomb",
        "for n in range(2000):\n    open(f'{n}', 'w').close()\ntime.sleep(20)",
        ["files"],
        Quota(stage_files=500),
    ),
    _bomb(
        "the same in /tmp",
        "for n in range(2000):\n    open(f'/tmp/{n}', 'w').close()",
        ["No space left"],
        Quota(stage_files=500),
        needs=FILES,
    ),
    _bomb(
        "/tmp and /dev/shm filled",
        f"for place in ('/tmp', '/dev/shm'):\n    try:\n        open(place + '/a', 'wb').write("
        f"bytes({9 * MB}))\n        time.sleep(20)\n    except OSError as error:\n"
        "        said = error\nraise said",
        ["No space left"],
        Quota(private_bytes=4 * MB),
        needs=FILES,
    ),
    _bomb(
        "a sparse file of 10 GB",
        "os.truncate(os.open('a', os.O_CREAT | os.O_WRONLY), 10 << 30)",
        ["File too large"],
        Quota(),
        fast=True,
    ),
    _bomb(
        "a path of more than 4,000 characters",
        "for _ in range(30):\n    os.mkdir('x' * 200)\n    os.chdir('x' * 200)\ntime.sleep(20)",
        ["path"],
        Quota(),
    ),
    Check(
        "a loop without end",
        ("while True: pass",),
        ends_as(TIMED_OUT, "within its"),
        time_limit_s=1.5,
    ),
    Check(
        "a loop that hears no signal",
        (
            "import signal\n"
            "for n in range(1, 32):\n    try:\n        signal.signal(n, signal.SIG_IGN)\n"
            "    except OSError:\n        pass\nwhile True: pass",
        ),
        ends_as(TIMED_OUT, "within its"),
        time_limit_s=1.5,
    ),
    Check(
        "output without end",
        ("import os\nblock = b'x' * 65536\nwhile True: os.write(1, block)",),
        _log_is_cut,
        quota=Quota(log_bytes=MB),
        time_limit_s=1.5,
    ),
)
