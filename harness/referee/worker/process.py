"""The harness's handle on a worker: spawn it, ask it, give it up when it hangs.

The worker runs isolated as a script does (`sandbox/`), in a private copy of the files that were
counted, with artifact and tokenizer beside it, alone and read-only, and a short environment; its
stdout and stderr go to a file, its only way to be heard is the channel. Guarantees: no call
outlives `time_limit_s`, which begins when it runs; whatever it printed last is in the error.
"""

import contextlib
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy.typing as npt

from harness import child_python
from harness.closing import Closing
from harness.errors import ContractError, NotIsolated, SandboxError, SubmissionError, WorkerDied
from harness.protocol.confinement import NOT_WHOLE, Confinement, IsolationAsked, IsolationPart
from harness.referee.wire.channel import NUMBER, Channel, ChannelClosed, Message
from harness.referee.wire.slab import Slab
from harness.referee.worker.answers import End, Start
from harness.sandbox import quota
from harness.submission import code_files

# All that a worker inherits: enough to find Python, its libraries and a device.
INHERITED = ("PATH", "LANG", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
LOG_TAIL_LINES = 20
RUNS = "runs"  # where a worker lives, below the folder of its log
START_LIMIT_S = 120.0  # to load our side of it, on whatever machine: no fault of the submission
END_LIMIT_S = 40.0  # its processes are killed and waited for meanwhile
LAST_WORDS_S = 5.0  # for one that closed its channel, until it is ended


@dataclass(frozen=True)
class Workplace:
    """What a worker is given. Paths are the harness's own; it gets copies."""

    folder: Path  # of the submission
    artifact: Path
    tokenizer: Path
    log: Path
    time_limit_s: float
    device: str = "cpu"
    isolation: IsolationAsked = IsolationAsked.WHOLE


class WorkerProcess(Closing):
    """A running worker. Use as a context manager: leaving it ends all of its processes.

    Raises SandboxError where the machine does not let it start.
    """

    def __init__(self, given: Workplace) -> None:
        self._given, self._asked = given, 0
        self._deadline = time.monotonic() + START_LIMIT_S
        # In the folder of the run: whatever ends us, the next evaluation there takes it away.
        self._scratch = given.log.parent.resolve() / RUNS / secrets.token_hex(6)
        self._scratch.mkdir(parents=True)
        self.artifact = self._copied(given.artifact, "artifact")
        self.tokenizer = self._copied(given.tokenizer, "tokenizer")
        self._stage = self._scratch / "submission"
        self._stage.mkdir()
        for file in code_files(given.folder):
            copy = self._stage / file.relative_to(given.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
        self._channel, self._process, self._answers = self._spawn()

    def begin(self) -> tuple[IsolationPart, ...]:
        """Waits until it runs, from when on its time counts; the parts of the isolation that are
        active.
        """
        if not select.select([self._answers], [], [], START_LIMIT_S)[0]:
            raise SandboxError(f"the predictor was not started within {START_LIMIT_S:.0f} s")
        start = Start.of(self._answers.readline().decode())
        self._deadline = time.monotonic() + self._given.time_limit_s
        if start.refused:
            never = f"the predictor was never started: {start.refused}"
            raise (NotIsolated if NOT_WHOLE in start.refused else SandboxError)(never)
        return tuple(start.isolation)

    def ask(
        self,
        op: str,
        fields: dict[str, Any] | None = None,
        arrays: dict[str, npt.NDArray[Any]] | None = None,
    ) -> Message:
        """Sends a message and waits for its answer. Raises SubmissionError (and its kinds)."""
        try:
            self._asked += 1
            self._channel.send(Message(op, {**(fields or {}), NUMBER: self._asked}, arrays or {}))
        except ChannelClosed as error:
            raise self._died() from error
        answer = self.listen()
        if answer.fields.get(NUMBER) != self._asked:
            raise ContractError(
                f"question {self._asked} got an answer to question {answer.fields.get(NUMBER)}:"
                " each is answered once, by the host that asked `log_probs`"
            )
        return answer

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
            self._end(LAST_WORDS_S)
            raise SubmissionError(f"{cause}; the worker printed last:\n{self.log_tail()}")
        if message.op == "contract":
            raise ContractError(str(message.fields.get("message")))
        return message

    def log_tail(self) -> str:
        """The last lines that the worker printed; all of them once it has ended."""
        log = self._given.log
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        return "\n".join(text.splitlines()[-LOG_TAIL_LINES:])

    def close(self) -> None:
        """Ends all of its processes and removes what it was given."""
        self._end()
        self._channel.close()
        self._answers.close()
        with contextlib.suppress(OSError):  # what cannot be taken away is no reason to lose the run
            quota.remove(self._scratch)
            self._scratch.parent.rmdir()

    def _copied(self, file: Path, name: str) -> Path:
        """Alone in a folder, under a name that says nothing."""
        copy = self._scratch / name / f"{name}{file.suffix}"
        copy.parent.mkdir()
        shutil.copyfile(file, copy)
        return copy

    def _spawn(self) -> tuple[Channel, "subprocess.Popen[bytes]", BinaryIO]:
        ours, theirs = socket.socketpair()
        to_worker, from_worker = Slab.create(), Slab.create()
        answers, answering = os.pipe()
        passed = (theirs.fileno(), from_worker.descriptor, to_worker.descriptor, answering)
        log = self._given.log
        log.parent.mkdir(parents=True, exist_ok=True)
        command = (self._confinement().as_json(), str(log.resolve()), *map(str, passed))
        try:
            with log.open("wb") as errors:  # until it has a log of its own
                process = subprocess.Popen(
                    child_python.command("harness.referee.worker", *command),
                    cwd=self._stage,
                    env=self._environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=errors,
                    stderr=subprocess.STDOUT,
                    pass_fds=passed,
                    start_new_session=True,
                )
        except OSError as error:
            raise SandboxError(f"could not start a worker process: {error}") from error
        theirs.close()
        os.close(answering)
        return Channel(ours, to_worker, from_worker), process, os.fdopen(answers, "rb")

    def _confinement(self) -> Confinement:
        given, out = self._given, self._scratch / "out"
        out.mkdir()
        return Confinement(
            stage=self._stage,
            out=out,
            given=(self.artifact, self.tokenizer),
            device=given.device,
            time_limit_s=given.time_limit_s + END_LIMIT_S,  # ours ends it, with its last words
            isolation=given.isolation,
        )

    def _environment(self) -> dict[str, str]:
        environment = {k: os.environ[k] for k in INHERITED if k in os.environ}
        environment |= child_python.environment()
        environment["PYTHONDONTWRITEBYTECODE"] = environment["PYTHONUNBUFFERED"] = "1"
        # Waiting threads that spin slow everything else on a small machine several times over.
        environment["OMP_WAIT_POLICY"] = "PASSIVE"
        environment["HOME"] = environment["TMPDIR"] = str(self._stage)
        return environment

    def _died(self, *, hung: bool = False) -> WorkerDied:
        self._end(0.0 if hung else LAST_WORDS_S)
        end = End.of(self._answers.readline().decode())
        late = f"gave no answer within its {self._given.time_limit_s:.0f} s"
        tail = self.log_tail()
        return WorkerDied(f"the worker {late if hung else end}; it printed last:\n{tail}", tail)

    def _end(self, patience_s: float = 0.0) -> None:
        """Also when the worker itself is gone: its children may live on."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience_s)
        for by in (signal.SIGTERM, signal.SIGKILL):
            self._process.send_signal(by)  # of a process that has ended: nothing
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_LIMIT_S)
