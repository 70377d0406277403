"""One rank of one run: turns a process forked from the fork server into the script's own.

Guarantees: the script sees the job's environment and nothing of ours, its folder as working
directory, fixed seeds, and the working directory first on its path; how it ended, with the
innermost line of its own files, is written to a descriptor before the process ends. Does not
cover a script that leaves through `os._exit` or becomes another program: its exit status is all
there is.
"""

import ast
import atexit
import contextlib
import faulthandler
import os
import random
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import torch

from harness.inside import class_patches, counted_clock, imported_constants, parsed_files
from harness.protocol import code_constants, traceback_origin
from harness.protocol.job import Job
from harness.protocol.message import EndMessage
from harness.protocol.seals import Seals

INHERITED_BY_SCRIPT = (
    *("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "TRITON_INTERPRET"),
    *("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_HOME", "CC"),
    *("PYTHONUSERBASE", "PYTHONNOUSERSITE"),
)
Compiler = Callable[[Any, str], CodeType]  # of a text or a tree, and the name of its file
OURS = ("harness", "audits", "reference_model")
PROGRAMS = ".bin"  # folder of the stage with the command-line programs that the machine lacks
DUMP_BEFORE_END_S = 1.0  # the place where a script hangs is noted this long before its time is up


@dataclass(frozen=True)
class Rank:
    """What one process of a job is given."""

    job: Job
    rank: int
    port: int  # of the process group on loopback
    stream: npt.NDArray[np.int64] | None  # (T,) validation tokens; None without capture
    exchanged: Mapping[str, bytes]  # what a file holds when the script opens it again
    out_fd: int  # folder of this rank's capture: open, since isolation hides its path
    seal_fd: int  # where sums of what is recorded go
    message_fd: int  # where the `EndMessage` goes
    deadline: float  # of the run, on the monotonic clock, s


def become_script(rank: Rank) -> NoReturn:
    """Runs the script to its end and ends the process."""
    started, process = False, os.getpid()
    try:
        _settle(rank)
        with _watched(rank) as compiled:
            # In front of the hooks, which rewrite what came of it.
            imported_constants.install(rank.job.code_constants, rank.job.stage)
            started = True
            message = _run(rank.job, compiled)
    except BaseException as error:  # noqa: BLE001 - of ours, before the script or after it
        _print_error()
        where = traceback_origin.where_of(error, rank.job.stage)
        message = EndMessage(started, 1, traceback_origin.cause_of(error), where)
    if os.getpid() == process:
        say_last(rank.message_fd, message)
    else:  # a child that the script forked has come to its end: nobody asks how
        _flush()
    os._exit(message.exit_code)


def environment(job: Job, rank: int, port: int) -> dict[str, str]:
    """All that the script inherits."""
    ours = str(job.stage / PROGRAMS)
    tools = [str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]
    # A GPU's machine has its own tools, and the caller's path leads to them.
    tools = [ours, *tools] if job.device == "cpu" else [*tools, os.environ.get("PATH", ""), ours]
    home = str(job.stage / ".home")
    basic = {
        "PATH": os.pathsep.join(tools),
        "HOME": home,
        "TMPDIR": f"{home}/tmp",
        "LANG": "C.UTF-8",
    }
    inherited = {name: os.environ[name] for name in INHERITED_BY_SCRIPT if name in os.environ}
    if libraries := _libraries():
        inherited["PYTHONPATH"] = os.pathsep.join(libraries)
    return basic | inherited | dict(job.environment) | _process_group(job, rank, port)


def _libraries() -> list[str]:
    """What of our own path its children need as well: not the checkout."""
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    ours = {str(package.parent) for package in traceback_origin.OUR_PACKAGES}
    return [e for e in entries if e and (e not in ours or traceback_origin.is_library(Path(e)))]


def _process_group(job: Job, rank: int, port: int) -> dict[str, str]:
    """As torchrun sets it; nothing for a single rank, so that scripts skip the process group."""
    if job.ranks == 1:
        return {}
    place = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "ROLE_RANK": rank}
    size = {"WORLD_SIZE": job.ranks, "LOCAL_WORLD_SIZE": job.ranks, "MASTER_PORT": port}
    # An isolated network has loopback only; gloo and NCCL would look for another interface.
    host = {"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
    return {name: str(value) for name, value in (place | size | host).items()}


def _settle(rank: Rank) -> None:
    """Everything of the process that the script can see, before its first line."""
    job = rank.job
    settings = environment(job, rank.rank, rank.port)
    os.environ.clear()
    os.environ.update(settings)
    Path(settings["TMPDIR"]).mkdir(parents=True, exist_ok=True)
    for stream in (sys.stdout, sys.stderr):  # whole lines, or those of two ranks get mixed
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    tempfile.tempdir = None  # the fork server may have looked its own up already
    os.chdir(job.stage)
    script = job.stage / job.script
    sys.argv = [str(script), *job.arguments]
    if script.parent != job.stage:  # as `python -m folder.script` has it
        sys.path.insert(0, str(job.stage))
    sys.path.insert(0, str(script.parent))
    random.seed(job.seed)
    np.random.seed(job.seed)
    torch.manual_seed(job.seed)
    left_s = rank.deadline - time.monotonic()
    faulthandler.dump_traceback_later(max(left_s - DUMP_BEFORE_END_S, 0.1), file=rank.message_fd)
    _shim(job)
    class_patches.install(job.class_patches, traceback_origin.is_theirs)
    theirs = traceback_origin.is_theirs
    if job.counted_clock:
        counted_clock.install(theirs, by_gradients=job.gradients_take_time)
    if job.entries:
        look = parsed_files.exchange(job.entries)
        parsed_files.Parsers(look, lambda frame: theirs(frame.f_code.co_filename), job.stage)


def _shim(job: Job) -> None:
    from harness.inside import shim
    from harness.inside.shim import packages, programs

    programs.place(job.stage / PROGRAMS)
    if job.frozen:
        packages.serve_text()
    shim.install(job.device, job.compiled, repeated=not job.long)


@contextlib.contextmanager
def _watched(rank: Rank) -> Iterator[Compiler]:
    if rank.stream is None:
        yield _compiled
        return
    from harness.inside import hooks
    from harness.inside.hooks.conduct.frozen import Frozen

    out = Path(f"/proc/self/fd/{rank.out_fd}")
    native = rank.job.device != "cpu" or rank.job.long
    job = rank.job
    seen = job.questions, native, job.rows, job.foreseen, job.louder, Seals(rank.seal_fd)
    files = [job.stage / name for name in job.frozen]
    parsed = partial(_frozen_tree, job)
    frozen = partial(Frozen, files=files, stage=job.stage, parsed=parsed, scorer=job.scorer)
    last = (frozen,) if files else (), rank.exchanged, job.turned
    with hooks.watching(rank.stream, out, job.stage, *seen, *last) as recorder:
        yield recorder.compiled or _compiled


def _frozen_tree(job: Job, file: Path) -> ast.Module:
    """What stands in it, with the numbers that are exchanged in this run."""
    values = code_constants.of_file(job.code_constants, str(file.relative_to(job.stage)))
    return code_constants.parsed_with(file.read_bytes(), str(file), values)


def _compiled(source: bytes | ast.Module, file: str) -> CodeType:
    return compile(source, file, "exec")


def _run(job: Job, compiled: Compiler) -> EndMessage:
    """The script as `__main__`, then what a Python process does at its end."""
    script = job.stage / job.script
    main = _fresh_main(script)
    try:
        code = _code(job, script, compiled)
        _forget_ours()
        exec(code, main.__dict__)
        message = EndMessage(True, 0, "", "")
    except SystemExit as stop:
        message = _stopped(stop, job.stage)
    except BaseException as error:  # noqa: BLE001 - a script may raise anything; all of it is reported
        _print_error()
        message = EndMessage(
            True, 1, traceback_origin.cause_of(error), traceback_origin.where_of(error, job.stage)
        )
    _end_interpreter()
    return message


def _code(job: Job, script: Path, compiled: Compiler) -> CodeType:
    """The script's own bytes; a tree only where a number of the code is exchanged."""
    text = script.read_bytes()
    if not job.code_constants:
        return compiled(text, str(script))
    return compiled(code_constants.parsed_with(text, str(script), job.code_constants), str(script))


def _forget_ours() -> None:
    """What runs the script is no module that it finds; what it imports of ours it gets afresh."""
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]


def _fresh_main(script: Path) -> ModuleType:
    """A module that stays `__main__` for threads, pickles and exit handlers (unlike runpy's)."""
    main = ModuleType("__main__")
    attributes: dict[str, Any] = {"__file__": str(script), "__builtins__": __builtins__}
    main.__dict__.update(attributes)
    sys.modules["__main__"] = main
    return main


def _stopped(stop: SystemExit, stage: Path) -> EndMessage:
    if stop.code is None or stop.code == 0:
        return EndMessage(True, 0, "", "")
    where = traceback_origin.where_of(stop, stage)
    if isinstance(stop.code, int):
        return EndMessage(True, stop.code & 0xFF, f"SystemExit: {stop.code}", where)
    print(stop.code, file=sys.stderr)
    return EndMessage(
        True, 1, f"SystemExit: {stop.code}"[: traceback_origin.CAUSE_CHARACTERS], where
    )


def _end_interpreter() -> None:
    """Waits for threads that are no daemons, runs exit handlers; they change no exit code."""
    for finish in (threading._shutdown, atexit._run_exitfuncs):  # type: ignore[attr-defined]
        try:
            finish()
        except BaseException:  # noqa: BLE001 - Python itself prints these and goes on
            _print_error()


def _print_error() -> None:
    with contextlib.suppress(Exception):  # the script may have closed or replaced its stderr
        traceback.print_exc()


def say_last(descriptor: int, message: EndMessage) -> None:
    """The last word of a process, after all that it printed."""
    faulthandler.cancel_dump_traceback_later()  # which waits for a thread: not in a forked child
    _flush()
    message.send(descriptor)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed or replaced by the script
            stream.flush()
