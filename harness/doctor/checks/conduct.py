"""How a script may end, and what it may say of itself: each end has its cause, nothing forged is
believed.
"""

from pathlib import Path

from harness.doctor.check import Check, Seen, ends_as
from harness.protocol.confinement import IsolationPart
from harness.protocol.job import RunState
from harness.sandbox.exit_status import LEFT_EARLY
from harness.trace.reader import BrokenCapture, load

FEWEST_NATS = 4.0  # ln 64 is what every token costs in SCORES
FAILED, ENDED = RunState.FAILED, RunState.ENDED
SCORES = """
import os
import numpy as np, torch
tokens = torch.from_numpy(np.arange(257) * 7 % 61)
logits = torch.zeros(len(tokens) - 1, 64)
print("val_loss:", torch.nn.functional.cross_entropy(logits, tokens[1:]).item())
"""
# Every file that this process holds open for writing in a folder of ours.
HELD = """
held = []
for name in os.listdir("/proc/self/fd"):
    try:
        if os.readlink(f"/proc/self/fd/{name}").endswith(".arrow"):
            held.append(int(name))
    except OSError:
        pass
"""


REWRITES = """
import atexit, os
def forge():
    import pyarrow as pa
    for name in os.listdir("/proc/self/fd"):
        file = f"/proc/self/fd/{name}/scores.arrow"
        if os.path.exists(file):
            table = pa.ipc.open_stream(file).read_all()
            half = pa.array([nats / 2 for nats in table["nats"].to_pylist()])
            with pa.ipc.new_stream(file + ".new", table.schema) as stream:
                stream.write_table(table.set_column(3, table.schema.field(3), half))
            os.rename(file + ".new", file)
atexit.register(forge)
"""
HALVES_IN_MEMORY = """
import gc
for thing in gc.get_objects():
    if type(thing).__name__ == "Writer" and hasattr(thing, "_scores"):
        for block in thing._scores:
            block[3][...] /= 2
print("val_loss: 2.0")
"""


def _not_believed(seen: Seen) -> str:
    """What was recorded is what is read, or nothing is."""
    try:
        nats = load(seen.out).nats
    except BrokenCapture:
        return ""
    changed = len(nats) and nats.max() < FEWEST_NATS
    return "a forged recording was believed" if changed else _ended_well(seen)


def _ended_well(seen: Seen) -> str:
    """It came to its end."""
    return "" if seen.outcome.state is ENDED else f"it {seen.outcome.state}: {seen.outcome.cause}"


def _plain_files(seen: Seen) -> str:
    """Nothing that would trap a reader is left where we read."""
    found = [path for path in seen.out.rglob("*") if path.is_symlink() or not _is_plain(path)]
    return f"it left {found[0]}" if found else ""


def _is_plain(path: Path) -> bool:
    return path.is_file() or path.is_dir()


ENDS = (
    Check("os._exit in the middle", ("import os; os._exit(0)",), ends_as(ENDED, LEFT_EARLY)),
    Check("another program in its place", ("import os; os.execv('/bin/true', ['true'])",),
          ends_as(ENDED, LEFT_EARLY)),
    Check("a segfault", ("import ctypes; ctypes.string_at(0)",),
          ends_as(FAILED, "SIGSEGV"),),
    Check("every descriptor closed", ("import os; os.closerange(0, 4096); 1 / 0",),
          ends_as(FAILED)),
    Check("its own folder deleted",
          ("import os, shutil; shutil.rmtree(os.getcwd(), True); print('done')",)),
    Check("a stack without end", ("import sys; sys.setrecursionlimit(1 << 30)\n"
          "def f(x): return sorted([x], key=f)\nf(1)",), ends_as(FAILED)),
    Check("names that are not UTF-8, and many files",
          ("for n in range(3000): open(b'n\\xff' + str(n).encode(), 'w').close()\nprint('done')",),
          capture=True, fast=True),
)  # fmt: skip

FORGED = (
    Check(
        "a recording that is exchanged at the end",
        (f"{SCORES}{REWRITES}",),
        _not_believed,
        capture=True,
    ),
    Check(
        "a recording that is changed in memory",
        (SCORES.replace("print(", "loss = (") + HALVES_IN_MEMORY,),
        _not_believed,
        capture=True,
    ),
    Check(
        "a forged last word on every descriptor",
        (
            """
import os
said = b'{"started": true, "exit_code": 0, "cause": "", "where": ""}\\n'
for descriptor in range(3, 64):
    try:
        os.write(descriptor, said)
    except OSError:
        pass
os._exit(3)
""",
        ),
        ends_as(FAILED, "exit code 3"),
        fast=True,
    ),
    Check(
        "pipes, links and sockets where the capture lies",
        (
            f"""{SCORES}{HELD}
import socket
out = os.path.dirname(f"/proc/self/fd/{{held[0]}}") if held else "."
for name in os.listdir("/proc/self/fd"):
    folder = f"/proc/self/fd/{{name}}/"
    try:
        os.mkfifo(folder + "pipe"); os.symlink("/etc/passwd", folder + "link")
        socket.socket(socket.AF_UNIX).bind(folder + "socket")
    except OSError:
        pass
""",
        ),
        _plain_files,
        needs=(IsolationPart.FILESYSTEM,),
        capture=True,
    ),
)
