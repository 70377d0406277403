"""Runs the checks on this machine, one after the other.

Guarantees: a check whose wall this machine refuses is not tried, since what it does would be done;
after each one it is looked whether the machine is as before. Does not cover: the graphics card, and
flaws of the kernel that no check here knows.
"""

import contextlib
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from harness.doctor.check import Check, Reading, Result, Seen, Status
from harness.doctor.checks import SECTIONS
from harness.doctor.ground import Ground
from harness.doctor.hostile_files import FILES
from harness.doctor.predictor import reached
from harness.protocol.confinement import NOT_WHOLE, IsolationAsked, IsolationPart
from harness.protocol.job import Job, Outcome, RunState
from harness.sandbox import quota

AROUND = "around a predictor"
READS = "what reads a submission's files"
READ_S = 60.0  # any hostile file, on a machine that others use
TOKENS = 257


class Server(Protocol):
    """What runs a job behind walls: the implementation that is examined."""

    def run(self, job: Job) -> Outcome:
        """Runs it to its end."""


class Examiner:
    """The suite against one implementation."""

    def __init__(self, server: Server, ground: Ground) -> None:
        self._server, self._ground = server, ground
        self._numbers = itertools.count()
        asked = self._run("print('begun')", Check("", ()), IsolationAsked.WHOLE).outcome
        cause = asked.cause[max(asked.cause.find(NOT_WHOLE), 0) :]
        self.refused = cause if asked.state is RunState.NOT_STARTED else ""
        if self.refused:
            asked = self._run("print('begun')", Check("", ()), IsolationAsked.PARTIAL).outcome
        self.active: tuple[IsolationPart, ...] = asked.isolation

    def results(self, *, fast: bool = False) -> Iterator[Result]:
        """Of every check, or of the fast ones."""
        for section, checks in SECTIONS.items():
            for check in checks:
                if check.fast or not fast:
                    yield self.examined(section, check)
        if not fast:
            yield self._predictor()
        for reading in FILES:
            if reading.fast or not fast:
                yield self._read(reading)

    def examined(self, section: str, check: Check) -> Result:
        """Of one check."""
        missing = [part.name.lower() for part in check.needs if part not in self.active]
        if missing:
            return Result(section, check.what, Status.NOT_HELD, f"no {', '.join(missing)}")
        began = time.monotonic()
        seen = [self._run(text, check, IsolationAsked.PARTIAL) for text in check.scripts]
        wrong = check.expected(seen[-1])
        wall_s = time.monotonic() - began
        if len(seen) > 1 and seen[0].outcome.state is RunState.NOT_STARTED:
            wrong = seen[0].outcome.cause
        return self._result(section, check.what, wrong, wall_s)

    def _result(self, section: str, what: str, wrong: str, wall_s: float) -> Result:
        said = [wrong] if wrong else []
        said += [f"left: {trace}" for trace in self._ground.traces()]
        status = Status.FAILS if said else Status.HOLDS
        return Result(section, what, status, "; ".join(said), wall_s)

    def _predictor(self) -> Result:
        """What only asks, in the process of a predictor."""
        asking = [check for checks in SECTIONS.values() for check in checks if check.harmless]
        held = [check for check in asking if set(check.needs) <= set(self.active)]
        began = time.monotonic()
        wrong = reached(held, self._ground, self._fresh())
        what = f"the {len(held)} of these that only ask"
        return self._result(AROUND, what, wrong, time.monotonic() - began)

    def _fresh(self) -> Path:
        folder = self._ground.folder / f"part{next(self._numbers)}"
        folder.mkdir()
        return folder

    def _read(self, reading: Reading) -> Result:
        folder = self._fresh()
        began = time.monotonic()
        try:
            wrong = reading.read(folder)
        except Exception as error:  # noqa: BLE001 - any is what the check looks for
            wrong = f"{type(error).__name__}: {error}"[:200]
        finally:
            quota.remove(folder)
        wall_s = time.monotonic() - began
        if wall_s > READ_S:
            wrong = wrong or f"it took {wall_s:.0f} s"
        return self._result(READS, reading.what, wrong, wall_s)

    def _run(self, text: str, check: Check, isolation: IsolationAsked) -> Seen:
        """One script, in a stage of its own, which is gone behind it."""
        folder = self._fresh()
        stage, out = folder / "stage", folder / "out"
        stage.mkdir(parents=True)
        (stage / "train_gpt.py").write_text(self._ground.told() + text, encoding="utf-8")
        np.save(folder / "stream.npy", np.arange(TOKENS) * 7 % 61)
        job = Job(
            stage=stage,
            out=out,
            stream=folder / "stream.npy",
            script="train_gpt.py",
            capture=check.capture,
            quota=check.quota,
            time_limit_s=check.time_limit_s,
            isolation=isolation,
        )
        outcome = self._server.run(job)
        said = job.log.read_text(encoding="utf-8", errors="replace").splitlines()
        with contextlib.suppress(FileNotFoundError):  # it deleted that itself
            quota.remove(stage)
        return Seen(outcome, tuple(said[-20:]), out, self._ground)
