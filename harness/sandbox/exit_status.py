"""Reads how a run ended off what its processes left: wait statuses, messages, dumps.

The messages come from inside the script's own process: they explain, they prove nothing.
"""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from harness.protocol import traceback_origin
from harness.protocol.confinement import IsolationPart
from harness.protocol.job import Job, Outcome, RunState
from harness.protocol.message import EndMessage

LEFT_EARLY = "left without returning (os._exit, or became another program)"
NO_STATUS = "its first process was killed"


@dataclass(frozen=True)
class Stopped:
    """Why the supervisor gave a run up."""

    state: RunState
    cause: str


@dataclass(frozen=True)
class Remains:
    """What is left of a run once none of its processes is alive."""

    wall_s: float
    isolation: tuple[IsolationPart, ...]
    stopped: Stopped | None  # None: it ended by itself
    statuses: Sequence[str]  # one a rank: wait status, or "-"
    said: Sequence[str]  # one a rank: all that came out of its message pipe


def outcome_of(job: Job, remains: Remains) -> Outcome:
    """The outcome of the job: of the rank that failed first, else of rank 0."""
    if remains.stopped is not None:
        return _given_up(job, remains, remains.stopped)
    if len(remains.statuses) != job.ranks:
        return _without_statuses(remains)
    codes = [None if s == "-" else os.waitstatus_to_exitcode(int(s)) for s in remains.statuses]
    messages = [EndMessage.last_of(said) for said in remains.said]
    rank = _rank_to_report(codes, messages)
    return _outcome_of_rank(rank, codes, messages[rank], remains)


def _given_up(job: Job, remains: Remains, stopped: Stopped) -> Outcome:
    places = (traceback_origin.where_of_dump(text, job.stage) for text in remains.said)
    where = next(filter(None, places), "")  # none of a rank that had ended
    return Outcome(stopped.state, remains.wall_s, stopped.cause, where, isolation=remains.isolation)


def _without_statuses(remains: Remains) -> Outcome:
    """The init process did not live to say how the ranks ended, or never had any."""
    message = EndMessage.last_of(remains.said[0])
    state, cause = RunState.FAILED, NO_STATUS
    if message is not None and not message.started:
        state, cause = RunState.NOT_STARTED, message.cause
    return Outcome(state, remains.wall_s, cause, isolation=remains.isolation)


def _rank_to_report(codes: Sequence[int | None], messages: Sequence[EndMessage | None]) -> int:
    """The rank that failed first; those that were stopped or failed because of it come after.

    One that died without a word did not learn of another's end: it comes before those that speak.
    """
    by_itself = [i for i, code in enumerate(codes) if code not in (0, None, -signal.SIGTERM)]
    failed = [i for i, code in enumerate(codes) if code != 0]
    said = [message.at if message else 0.0 for message in messages]
    return min(by_itself or failed or [0], key=lambda rank: said[rank])


def _outcome_of_rank(
    rank: int, codes: Sequence[int | None], message: EndMessage | None, remains: Remains
) -> Outcome:
    code = codes[rank]
    at = f"rank {rank}: " if len(codes) > 1 and code != 0 else ""
    if message is None:
        state = RunState.ENDED if code == 0 else RunState.FAILED
        cause, where = LEFT_EARLY if code == 0 else _by_status(code), ""
    else:
        failed = RunState.FAILED if message.started else RunState.NOT_STARTED
        state = RunState.ENDED if code == 0 else failed
        cause = message.cause or ("" if code == 0 else f"{_by_status(code)} after its end")
        where = message.where
    cause = at + cause if cause else ""
    return Outcome(state, remains.wall_s, cause, where, code, remains.isolation)


def _by_status(code: int | None) -> str:
    if code is None:
        return "stopped: another rank had failed"
    if code >= 0:
        return f"exit code {code}"
    hint = " (out of memory?)" if code == -signal.SIGKILL else ""
    return f"killed by {signal.Signals(-code).name}{hint}"
