"""Small scripts as jobs, and what of them can still be seen once they have ended."""

import os
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.protocol.confinement import IsolationAsked
from harness.protocol.job import Job

TOKENS = 257

# For scripts: starts a process that notes every few milliseconds that it is alive. `how` is the
# way it tries to slip away: "child", or "daemon" (forks twice, in a session of its own).
BEATING = """
import os, time
def beat(name, how):
    if os.fork():
        return
    if how == "daemon":
        os.setsid()
        if os.fork():
            os._exit(0)
    while True:
        with open(name, "a") as file:
            file.write(".")
        time.sleep(0.005)
def wait_for(*names):
    while not all(os.path.exists(name) for name in names):
        time.sleep(0.005)
"""


def make_job(folder: Path, text: str, **fields: Any) -> Job:
    """A job whose script is `text`, in `folder` with nothing else."""
    stage = folder / "stage"
    stage.mkdir(parents=True)
    (stage / "train_gpt.py").write_text(textwrap.dedent(text), encoding="utf-8")
    tokens = np.random.default_rng(0).integers(1, 64, TOKENS, dtype=np.int64)
    np.save(folder / "stream.npy", tokens)
    np.save(stage / "stream.npy", tokens)
    paths = {"stage": stage, "stream": folder / "stream.npy", "out": folder / "out"}
    standard: dict[str, Any] = {"script": "train_gpt.py", "time_limit_s": 30.0, "capture": False}
    standard["isolation"] = IsolationAsked.PARTIAL  # these tests say themselves what they need
    return Job(**{**paths, **standard, **fields})


def printed(job: Job) -> list[str]:
    """The lines of the log."""
    return job.log.read_text(encoding="utf-8", errors="replace").splitlines()


def is_silent(files: Sequence[Path]) -> bool:
    """Whether nothing writes to these files any more."""
    before = [file.stat().st_size for file in files]
    time.sleep(0.1)
    return before == [file.stat().st_size for file in files] and sum(before) > 0


def processes_named(word: str) -> list[str]:
    """Command lines, of all processes of this machine, that hold the word."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            line = Path(f"/proc/{entry}/cmdline").read_bytes().decode(errors="replace")
        except OSError:  # not a process, or ended meanwhile
            continue
        if word in line:
            found.append(line)
    return found
