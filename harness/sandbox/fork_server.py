"""The fork server: a process that has imported torch once, and forks every run of a script from it.

    with ForkServer("cpu") as server:
        outcome = server.run(job)

Guarantees: a run inherits no state of another one; the server never starts a thread and never
touches CUDA, so that forking is safe; it ends with the harness, and a run ends with it. A server
that died is started anew for the next job. Not covered: two jobs at once (take two servers), other
systems than Linux (SandboxError).
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import weakref
from typing import Any, ClassVar, NoReturn

from harness import child_python
from harness.closing import Closing
from harness.errors import SandboxError
from harness.loading import loading
from harness.protocol.job import Job, Outcome, RunState

PRELOADED = ("torch", "numpy", "sentencepiece", "torch.distributed")
# On a GPU their imports may ask for devices, before the fork. All that runs beside a script of ours
# is here, so that no run has to load it, or to compile it where no bytecode may be written.
PRELOADED_ON_CPU = ("torch._dynamo", "harness.inside.hooks")
START_LIMIT_S = 120.0
ANSWER_GRACE_S = 60.0  # after a job's own limit: the supervisor answers long before, if it lives
END_LIMIT_S = 40.0  # a run's processes are killed and waited for meanwhile
INHERITED_BY_SERVER = ("PATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_HOME", "CC")


class ForkServer(Closing):
    """The harness's handle. Use as a context manager."""

    # What follows it: a descriptor and the device.
    COMMAND: ClassVar = tuple(child_python.command("harness.sandbox.fork_server"))

    def __init__(self, device: str = "cpu") -> None:
        _require_linux()
        self._device = device
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the server
        self._start()

    def run(self, job: Job) -> Outcome:
        """Runs the job to its end."""
        if self._process.poll() is not None:
            self._start()
        job.out.mkdir(parents=True, exist_ok=True)
        job.log.write_bytes(b"")  # of an earlier run
        try:
            self._await_ready()
            with contextlib.suppress(OSError):  # a dead server shows in `_answer`
                self._socket.sendall(job.as_json().encode() + b"\n")
            return self._answer(job.time_limit_s + ANSWER_GRACE_S)
        except BaseException:  # whoever goes on must not get this job's answer for the next one
            self._end()
            raise

    @property
    def process_id(self) -> int:
        """Of the process that forks the runs."""
        return self._process.pid

    def stop(self) -> None:
        """Ends a run that another thread waits for; that thread learns of it at once."""
        with contextlib.suppress(OSError):  # it has ended by itself
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Ends the server, and with it a run that is under way."""
        self._end()
        self._errors.close()

    def _start(self) -> None:
        self._socket, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [*self.COMMAND, str(theirs.fileno()), self._device],
            env=_environment(self._device),
            stdin=subprocess.DEVNULL,
            stdout=self._errors,
            stderr=self._errors,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
        theirs.close()
        self._ready = False

    def _await_ready(self) -> None:
        if not self._ready and self._line(START_LIMIT_S) != b"ready\n":
            raise SandboxError(f"the fork server did not start:\n{self._last_words()}")
        self._ready = True

    def _end(self) -> None:
        """The server sees the closed channel, ends a run that is under way, and ends."""
        self._socket.close()
        if not self._ready:  # it loads, and sees nothing
            self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_LIMIT_S)
        self._process.kill()
        self._process.wait()

    def _line(self, limit_s: float) -> bytes:
        """What the server says; not a whole line if it died or is silent for too long."""
        text = b""
        self._socket.settimeout(limit_s)
        with contextlib.suppress(OSError):
            while not text.endswith(b"\n") and (chunk := self._socket.recv(1 << 16)):
                text += chunk
        return text

    def _answer(self, limit_s: float) -> Outcome:
        line = self._line(limit_s)
        if not line.endswith(b"\n"):
            self._end()
            return Outcome(RunState.NOT_STARTED, 0.0, f"the fork server died: {self._last_words()}")
        return Outcome.from_json(line)

    def _last_words(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")[-2000:]


def _require_linux() -> None:
    """Process descriptors, prctl and namespaces are what holds a run and ends it."""
    if sys.platform != "linux":
        raise SandboxError(
            f"running a submission's own script needs Linux, and this is {sys.platform}: isolation"
            " rests on its process descriptors, prctl and namespaces. Use a Linux machine, a"
            " container or a virtual machine; audits.scan reads the script anywhere"
        )


def _environment(device: str) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED_BY_SERVER if name in os.environ}
    fixed = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"} | child_python.environment()
    if device != "cpu":
        return inherited | fixed
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    fixed |= dict.fromkeys(names, "1")
    fixed |= {"OMP_WAIT_POLICY": "PASSIVE", "MKL_CBWR": "COMPATIBLE", "TRITON_INTERPRET": "1"}
    fixed["JE_ARROW_MALLOC_CONF"] = "background_thread:false"  # pyarrow's allocator starts one
    return inherited | fixed


def serve(socket_fd: int, device: str) -> None:
    """Forks a supervisor a job until the harness is gone."""
    _load(device)
    with socket.socket(fileno=socket_fd) as harness:
        harness.sendall(b"ready\n")
        for line in harness.makefile("r", encoding="utf-8"):
            _serve_one(Job.from_json(line), harness)


def _load(device: str) -> None:
    """All before the first fork."""
    import importlib

    with loading():
        for module in (*PRELOADED, *(PRELOADED_ON_CPU if device == "cpu" else ())):
            importlib.import_module(module)
        from harness.inside import shim
        from harness.sandbox import supervisor  # noqa: F401

        if device == "cpu":
            shim.load(device)
    # A run ends without taking torch's operators apart, which writes to nearly all that it shares.
    registry: Any = weakref.finalize
    for loaded in registry._registry:
        loaded.atexit = False


def _serve_one(job: Job, harness: socket.socket) -> None:
    answer_fd, supervisor_fd = os.pipe()
    server = os.getpid()
    supervisor = os.fork()
    if supervisor == 0:
        harness.close()
        os.close(answer_fd)
        _become_supervisor(job, supervisor_fd, server)
    os.close(supervisor_fd)
    end = os.pidfd_open(supervisor)
    ready, _, _ = select.select([end, harness.fileno()], [], [])
    if harness.fileno() in ready:  # nothing is asked during a job: the harness is gone
        os.kill(supervisor, signal.SIGTERM)
    _, status = os.waitpid(supervisor, 0)
    os.close(end)
    with open(answer_fd, "rb") as file:
        answer = file.read()
    lost = Outcome(RunState.NOT_STARTED, 0.0, f"the supervisor died, status {status}")
    with contextlib.suppress(OSError):  # the harness is gone
        harness.sendall((answer if status == 0 else lost.as_json().encode()) + b"\n")


def _become_supervisor(job: Job, answer_fd: int, server: int) -> NoReturn:
    from harness.sandbox import supervisor, syscalls

    syscalls.die_with_parent(signal.SIGTERM)  # on which it ends the run, then itself
    if os.getppid() != server:
        os._exit(1)
    try:
        os.write(answer_fd, supervisor.supervise(job).as_json().encode())
    except BaseException:  # noqa: BLE001 - never back into the server's loop
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
    os._exit(0)  # nothing to save, and torch takes a second to unload
