"""What a script may leave for the next one, and what it may do to other processes."""

from harness.doctor.check import Check, Seen
from harness.protocol.confinement import IsolationPart
from harness.protocol.job import RunState

WHOLE = (IsolationPart.FILESYSTEM, IsolationPart.PROCESSES)
SHARES = """
import ctypes, os
libc = ctypes.CDLL(None)
NUMBERS = {"x86_64": (248, 250), "aarch64": (217, 219)}[os.uname().machine]
name = G["mark"].encode()
PLACES = ("/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~"), os.environ.get("TMPDIR", "/tmp"))
"""
LEAVES_FILES = """
for place in PLACES:
    try:
        open(os.path.join(place, G["mark"]), "w").close()
    except OSError:
        pass
print("done")
"""
FINDS_FILES = """
for place in PLACES:
    if os.path.exists(os.path.join(place, G["mark"])):
        print("reached", place)
print("done")
"""
LEAVES_OBJECTS = """
libc.syscall(NUMBERS[0], b"user", name, b"1", 1, -4)
for make in (lambda: libc.shmget(G["key"], 64, 0o1600), lambda: libc.msgget(G["key"], 0o1600),
             lambda: libc.semget(G["key"], 1, 0o1600)):
    make()
import multiprocessing.shared_memory as shared
try:
    kept = shared.SharedMemory(G["mark"], create=True, size=64)
except OSError:
    pass
mq_open = getattr(libc, "mq_open", None)
if mq_open:
    mq_open(b"/" + name, 0o102, 0o600, None)
print("done")
os._exit(0)
"""
FINDS_OBJECTS = """
if libc.syscall(NUMBERS[1], 10, -4, b"user", name, 0) > 0:
    print("reached a key")
for what, found in (("shm", libc.shmget(G["key"], 64, 0)), ("msg", libc.msgget(G["key"], 0)),
                    ("sem", libc.semget(G["key"], 1, 0))):
    if found >= 0:
        print("reached System V", what)
if os.path.exists("/dev/shm/" + G["mark"]):
    print("reached POSIX shared memory")
if getattr(libc, "mq_open", None) and libc.mq_open(b"/" + name, 2) >= 0:
    print("reached a message queue")
print("done")
"""


def _lives_or_fell(seen: Seen) -> str:
    """It killed itself at most."""
    outcome = seen.outcome
    fell = outcome.state is RunState.FAILED and outcome.cause.startswith("killed by SIG")
    alive = outcome.state is RunState.ENDED and seen.lines == ("alive",)
    return "" if fell or alive else f"it {outcome.state}: {outcome.cause}; {'; '.join(seen.lines)}"


def _strikes(what: str, text: str, *, fast: bool = False) -> Check:
    script = f"""
import os, signal
def strike(process, by):
    try:
        os.kill(process, by)
    except OSError:
        pass
{text}
print("alive")
"""
    return Check(what, (script,), _lives_or_fell, needs=(IsolationPart.PROCESSES,), fast=fast)


STATE = (
    Check(
        "files in every place that it may write",
        (SHARES + LEAVES_FILES, SHARES + FINDS_FILES),
        needs=WHOLE,
        fast=True,
    ),
    Check(
        "keyring, System V and POSIX objects",
        (SHARES + LEAVES_OBJECTS, SHARES + FINDS_OBJECTS),
        needs=WHOLE,
        fast=True,
    ),
)

PROCESSES = (
    _strikes(
        "signals to the harness and to the process above",
        """
for process in (*G["processes"], os.getppid(), 1):
    if process != os.getpid():
        for by in (signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
            strike(process, by)
""",
        fast=True,
    ),
    _strikes("a signal to everybody", "strike(-1, signal.SIGKILL)", fast=True),
    _strikes("everybody stopped", "strike(-1, signal.SIGSTOP)"),
    Check(
        "survivors: a daemon in a session of its own",
        (
            """
import os, time
if not os.fork():
    os.setsid()
    if not os.fork():
        null = os.open("/dev/null", os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        os.execv("/bin/sh", ["sh", "-c", "sleep 600; : " + G["mark"]])
    os._exit(0)
os.wait()
time.sleep(0.1)
print("done")
os._exit(0)
""",
        ),
    ),
)
