"""The nursery: a process that has imported torch once, and forks every run of a script from it.

    with Nursery("cpu") as nursery:
        outcome = nursery.run(job)

Guarantees: a run inherits no state of another one; the nursery never starts a thread and never
touches CUDA, so that forking is safe; it ends with the harness, and a run ends with it. A nursery
that died is started anew for the next job. Not covered: two jobs at once (take two nurseries).
"""

import contextlib
import dataclasses
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from harness.errors import SandboxError
from harness.upstream.job import How, Job, Outcome

PRELOADED = ("torch", "numpy", "sentencepiece", "torch.distributed", "torch._dynamo")
START_LIMIT_S = 120.0
GRACE_S = 60.0  # after a job's own limit: the keeper answers long before, if it lives
LOOK_S = 0.1
INHERITED = ("PATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_HOME")


class Nursery:
    """The harness's handle. Use as a context manager."""

    def __init__(self, device: str = "cpu", threads: int = 1) -> None:
        self._device, self._threads = device, threads
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the nursery
        self._start()

    def run(self, job: Job, on_line: Callable[[str], None] | None = None) -> Outcome:
        """Runs the job to its end; `on_line` gets each line of its log as it comes."""
        if self._process.poll() is not None:
            self._start()
        lines = _lines(job.log)
        next(lines)  # empties the log of an earlier run
        with contextlib.suppress(OSError):  # a dead nursery shows in `_answer`
            self._socket.sendall(job.as_json().encode() + b"\n")
        for _ in self._waiting(job.time_limit_s + GRACE_S):
            for line in next(lines):
                if on_line is not None:
                    on_line(line)
        return self._answer()

    def close(self) -> None:
        """Ends the nursery, and with it a run that is under way."""
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> "Nursery":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        self._errors.close()

    def _start(self) -> None:
        self._socket, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.upstream.nursery", str(theirs.fileno())],
            env=_environment(self._device, self._threads),
            stdin=subprocess.DEVNULL,
            stdout=self._errors,
            stderr=self._errors,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
        theirs.close()
        for _ in self._waiting(START_LIMIT_S):
            pass
        if self._socket.recv(16) != b"ready\n":
            self._process.kill()
            raise SandboxError(f"the nursery did not start:\n{self._last_words()}")

    def _waiting(self, limit_s: float) -> Iterator[None]:
        """Yields now and then until the nursery has something to say, or the time is up."""
        for _ in range(int(limit_s / LOOK_S)):
            ready, _, _ = select.select([self._socket], [], [], LOOK_S)
            yield
            if ready:
                return
        self._process.kill()  # `recv` then ends at once

    def _answer(self) -> Outcome:
        text = b""
        while not text.endswith(b"\n"):
            chunk = self._socket.recv(1 << 16)
            if not chunk:
                self._process.kill()
                self._process.wait()
                return Outcome(How.NOT_STARTED, 0.0, f"the nursery died: {self._last_words()}")
            text += chunk
        raw = json.loads(text)
        return Outcome(**{**raw, "how": How(raw["how"]), "walls": tuple(raw["walls"])})

    def _last_words(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")[-2000:]


def _environment(device: str, threads: int) -> dict[str, str]:
    checkout = str(Path(__file__).resolve().parents[2])
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    fixed = {name: str(threads) for name in names}
    fixed |= {"OMP_WAIT_POLICY": "PASSIVE", "MKL_CBWR": "COMPATIBLE", "PYTHONHASHSEED": "0"}
    fixed |= {"PYTHONPATH": checkout, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    return inherited | fixed | ({"TRITON_INTERPRET": "1"} if device == "cpu" else {})


def _lines(path: Path) -> Iterator[list[str]]:
    """Each time: the lines that the file has gained."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    with path.open("rb") as file:
        rest = b""
        while True:
            *whole, rest = (rest + file.read()).split(b"\n")
            yield [line.decode(errors="replace") for line in whole]


def serve(socket_fd: int) -> None:
    """Forks a keeper a job until the harness is gone."""
    import importlib

    for module in PRELOADED:
        importlib.import_module(module)
    from harness.upstream import session  # noqa: F401 - loaded before the first fork

    with socket.socket(fileno=socket_fd) as harness:
        harness.sendall(b"ready\n")
        for line in harness.makefile("r", encoding="utf-8"):
            _serve_one(Job.from_json(line), harness)


def _serve_one(job: Job, harness: socket.socket) -> None:
    keeper = os.fork()
    if keeper == 0:
        _be_keeper(job, harness)
    end = os.pidfd_open(keeper)
    ready, _, _ = select.select([end, harness.fileno()], [], [])
    if harness.fileno() in ready:  # nothing is asked during a job: the harness is gone
        os.kill(keeper, signal.SIGTERM)
    _, status = os.waitpid(keeper, 0)
    os.close(end)
    if status != 0:
        _tell(harness, Outcome(How.NOT_STARTED, 0.0, f"the keeper died, status {status}"))


def _be_keeper(job: Job, harness: socket.socket) -> None:
    from harness.upstream import kernel
    from harness.upstream.session import run_session

    kernel.die_with_parent()
    try:
        _tell(harness, run_session(job))
    except BaseException:  # noqa: BLE001 - never back into the nursery's loop
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _tell(harness: socket.socket, outcome: Outcome) -> None:
    with contextlib.suppress(OSError):  # it is gone
        harness.sendall(json.dumps(dataclasses.asdict(outcome)).encode() + b"\n")


if __name__ == "__main__":
    serve(int(sys.argv[1]))
