"""Reads how a run ended off what its processes left: wait statuses, messages, dumps.

The messages come from inside the script's own process: they explain, they prove nothing.
"""

import json
import os
import signal
from collections.abc import Sequence

from harness.inside.rank import Message
from harness.protocol import traceback_origin
from harness.protocol.job import How, Job, Outcome

LEFT_EARLY = "left without returning (os._exit, or became another program)"
NO_STATUS = "its first process was killed"


def outcome_of(
    job: Job,
    wall_s: float,
    stopped: tuple[How, str] | None,  # how and why the keeper gave it up
    statuses: Sequence[str],  # one a rank: wait status, or "-"
    said: Sequence[str],  # one a rank: all that came out of its message pipe
    walls: tuple[str, ...],
) -> Outcome:
    """The outcome of the job: of the rank that failed first in order, else of rank 0."""
    if stopped is not None:
        how, cause = stopped
        places = (
            traceback_origin.where_of_dump(text, job.stage) for text in said
        )  # none of one that ended
        return Outcome(how, wall_s, cause, next(filter(None, places), ""), None, walls)
    if len(statuses) != job.ranks:
        message = _message(said[0])
        if message is not None and not message.started:
            return Outcome(How.NOT_STARTED, wall_s, message.cause, "", None, walls)
        return Outcome(How.FAILED, wall_s, NO_STATUS, "", None, walls)
    codes = [None if s == "-" else os.waitstatus_to_exitcode(int(s)) for s in statuses]
    rank = _rank_to_report(codes)
    return _outcome_of_rank(rank, codes[rank], _message(said[rank]), job, wall_s, walls)


def _rank_to_report(codes: Sequence[int | None]) -> int:
    """The rank that failed by itself; those that were stopped because of it come after."""
    by_itself = [i for i, code in enumerate(codes) if code not in (0, None, -signal.SIGTERM)]
    failed = [i for i, code in enumerate(codes) if code != 0]
    return (by_itself or failed or [0])[0]


def _outcome_of_rank(
    rank: int,
    code: int | None,
    message: Message | None,
    job: Job,
    wall_s: float,
    walls: tuple[str, ...],
) -> Outcome:
    at = f"rank {rank}: " if job.ranks > 1 and code != 0 else ""
    if message is None:
        cause = LEFT_EARLY if code == 0 else _by_status(code)
        how = How.ENDED if code == 0 else How.FAILED
        return Outcome(how, wall_s, at + cause, "", code, walls)
    how = How.ENDED if code == 0 else How.FAILED if message.started else How.NOT_STARTED
    cause = message.cause or ("" if code == 0 else f"{_by_status(code)} after its end")
    return Outcome(how, wall_s, at + cause if cause else "", message.where, code, walls)


def _by_status(code: int | None) -> str:
    if code is None:
        return "stopped: another rank had failed"
    if code >= 0:
        return f"exit code {code}"
    hint = " (out of memory?)" if code == -signal.SIGKILL else ""
    return f"killed by {signal.Signals(-code).name}{hint}"


def _message(said: str) -> Message | None:
    """The last line, where it is a message: a dump may come before it, the script may add noise."""
    try:
        return Message(**json.loads(said.strip().rpartition("\n")[2]))
    except (ValueError, TypeError):
        return None
