"""One job from its start to its end, in a process of its own: the supervisor.

    fork server ── supervisor ── init process ── rank 0, rank 1, ...     (then what a script starts)

What the ranks say of their ends is read once all are dead. Guarantees: those of `confined`.
"""

import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.inside.rank import Rank, become_script, say_last
from harness.protocol import traceback_origin
from harness.protocol.job import Job, Outcome, RunState
from harness.protocol.message import EndMessage
from harness.sandbox.confined import Inner, Pipe, run_confined
from harness.sandbox.exit_status import Remains, outcome_of
from harness.sandbox.init_process import Untrusted
from harness.sandbox.isolation import Entered
from harness.sandbox.output_log import OutputLog

MOST_SEALS = 256 << 20  # bytes; a small run sends 50 kB, a long one on a GPU a few MB
Stream = npt.NDArray[np.int64] | None  # (T,) validation tokens


def supervise(job: Job) -> Outcome:
    """Runs the job below this process, which is changed by it: fork first."""
    job.out.mkdir(parents=True, exist_ok=True)
    seals = [OutputLog(job.out / f"seals{rank}", MOST_SEALS) for rank in range(job.ranks)]
    messages = [Pipe.open() for _ in range(job.ranks)]
    writing = [pipe.write for pipe in messages]
    sealing = [one.write_fd for one in seals]
    try:  # here, since it is not visible inside
        stream = np.load(job.stream).astype(np.int64) if job.capture else None
        exchanged = {name: Path(file).read_bytes() for name, file in job.exchanged.items()}
    except (OSError, ValueError) as error:
        return Outcome(RunState.NOT_STARTED, 0.0, traceback_origin.cause_of(error))
    deadline = time.monotonic() + job.time_limit_s
    inner = Inner(
        lambda entered: _ranks(job, (stream, exchanged), entered, writing, sealing, deadline),
        lambda cause: say_last(writing[0], EndMessage(False, 1, cause, "")),
        [*writing, *sealing],
    )
    outs = [job.out / f"rank{rank}" for rank in range(job.ranks)]
    ended = run_confined(job, inner, job.log, outs, seals)
    said = [pipe.content() for pipe in messages]
    remains = Remains(ended.wall_s, ended.isolation, ended.stopped, ended.statuses, said)
    return replace(outcome_of(job.seen_inside(ended.isolation), remains), left=ended.left)


def _ranks(
    job: Job,
    held: tuple[Stream, Mapping[str, bytes]],  # what is not visible inside; see `Rank`
    entered: Entered,
    writing: list[int],
    sealing: list[int],
    deadline: float,
) -> list[Untrusted]:
    port = _free_port() if job.ranks > 1 else 0
    inside = job.seen_inside(entered.active)
    ranks = [
        Rank(inside, rank, port, *held, out_fd, seal_fd, message_fd, deadline)
        for rank, (out_fd, seal_fd, message_fd) in enumerate(
            zip(entered.out_fds, sealing, writing, strict=True)
        )
    ]
    return [
        Untrusted((r.message_fd, r.seal_fd, r.out_fd), partial(become_script, r)) for r in ranks
    ]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
