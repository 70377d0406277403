"""The harness's handle on a worker: spawn it, ask it, give it up when it hangs.

The worker is a process group of its own, started on a private copy of the files that were counted,
with a short environment; its stdout and stderr go to a file, its only way to be heard is the
channel. Guarantees: no call outlives `time_limit_s`; whatever it printed last is in the error. Does
not cover: isolation from files, network and other processes.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy.typing as npt

from harness import child_python
from harness.closing import Closing
from harness.errors import ContractError, SandboxError, SubmissionError, WorkerDied
from harness.referee.wire.channel import Channel, ChannelClosed, Message
from harness.referee.wire.slab import Slab
from harness.submission import code_files

# All that a worker inherits: enough to find Python, its libraries and a device.
INHERITED = ("PATH", "LANG", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
LOG_TAIL_LINES = 20


class WorkerProcess(Closing):
    """A running worker. Use as a context manager: leaving it ends the process group."""

    def __init__(
        self,
        folder: Path,
        log: Path,
        time_limit_s: float,
    ) -> None:
        self.log = log
        self._time_limit_s = time_limit_s
        self._deadline = time.monotonic() + time_limit_s
        self._scratch = Path(tempfile.mkdtemp(prefix="scorefirst-"))
        self.folder = self._scratch / "submission"
        for file in code_files(folder):
            copy = self.folder / file.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
        self._channel, self._process = self._spawn()

    def ask(
        self,
        op: str,
        fields: dict[str, Any] | None = None,
        arrays: dict[str, npt.NDArray[Any]] | None = None,
    ) -> Message:
        """Sends a message and waits for its answer. Raises SubmissionError (and its kinds)."""
        try:
            self._channel.send(Message(op, fields or {}, arrays or {}))
        except ChannelClosed as error:
            raise self._died() from error
        return self.listen()

    def listen(self) -> Message:
        """The worker's next message. An `error` message becomes SubmissionError."""
        left_s = self._deadline - time.monotonic()
        try:
            message = self._channel.receive(max(left_s, 0.001))
        except TimeoutError as error:
            raise self._died(hung=True) from error
        except ChannelClosed as error:
            raise self._died() from error
        if message.op == "error":
            cause = message.fields.get("message")
            raise SubmissionError(f"{cause}; the worker printed last:\n{self.log_tail()}")
        if message.op == "contract":
            raise ContractError(str(message.fields.get("message")))
        return message

    def log_tail(self) -> str:
        """The last lines that the worker printed."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-LOG_TAIL_LINES:])

    def close(self) -> None:
        """Ends the whole process group and removes the private copy."""
        self._kill_group()
        self._process.wait()
        self._channel.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _spawn(self) -> tuple[Channel, "subprocess.Popen[bytes]"]:
        ours, theirs = socket.socketpair()
        to_worker, from_worker = Slab.create(), Slab.create()
        passed = (theirs.fileno(), from_worker.descriptor, to_worker.descriptor)
        environment = {k: os.environ[k] for k in INHERITED if k in os.environ}
        environment |= child_python.environment()
        environment["PYTHONDONTWRITEBYTECODE"] = environment["PYTHONUNBUFFERED"] = "1"
        # Waiting threads that spin slow everything else on a small machine several times over.
        environment["OMP_WAIT_POLICY"] = "PASSIVE"
        environment["HOME"] = environment["TMPDIR"] = str(self._scratch)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.log.open("wb") as log:
                process = subprocess.Popen(
                    child_python.command("harness.referee.worker", *map(str, passed)),
                    cwd=self.folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=passed,
                    start_new_session=True,
                )
        except OSError as error:
            raise SandboxError(f"could not start a worker process: {error}") from error
        theirs.close()
        return Channel(ours, to_worker, from_worker), process

    def _died(self, *, hung: bool = False) -> WorkerDied:
        self._kill_group()
        code = self._process.wait()
        late = f"gave no answer within its {self._time_limit_s:.0f} s"
        tail = self.log_tail()
        how = late if hung else f"ended (exit {code})"
        return WorkerDied(f"the worker {how}; it printed last:\n{tail}", tail)

    def _kill_group(self) -> None:
        """Also when the worker itself is gone: its children are in the group and may live on."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
