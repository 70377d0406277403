"""Processes that answer jobs, each job within a time limit.

Guarantees: every job gets exactly one answer; one that is late is ended with its process, one that
dies takes nothing else with it, and the next job gets a new process.
Does not cover: what a job is; an answer of the worker is passed on as it comes.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, Final, Generic, TypeVar

J = TypeVar("J")
S = TypeVar("S")
Serve = Callable[[Connection, S], None]
Answer = dict[str, Any]
START_S: Final = 60.0  # for a process to start, on a machine with other work


class _Slot(Generic[J, S]):
    """One process and the job it has."""

    def __init__(self, serve: Serve[S], settings: S) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_begin, args=(theirs, serve, settings), daemon=True)
        self.process.start()
        theirs.close()
        self.job: J | None = None
        self.deadline = float("inf")  # monotonic seconds
        self.started = 0.0
        self.ready = False  # imported what it needs, and waits for jobs

    def give(self, job: J, limit_s: float) -> None:
        self.job, self.started = job, time.monotonic()
        self.deadline = self.started + limit_s + (0.0 if self.ready else START_S)
        with contextlib.suppress(BrokenPipeError):  # it died idle; the hang-up is seen next
            self.connection.send(job)

    def starts(self, limit_s: float) -> None:
        """The time that the process took to start is not the job's."""
        self.ready, self.started = True, time.monotonic()
        self.deadline = self.started + limit_s

    def end(self) -> None:
        """Hangs up, and does not wait long."""
        self.connection.close()
        self.process.join(1.0)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _begin(connection: Connection, serve: Serve[S], settings: S) -> None:
    connection.send({})
    serve(connection, settings)


def run_jobs(
    jobs: Iterable[J], serve: Serve[S], settings: S, *, processes: int, limit_s: float
) -> Iterator[tuple[J, Answer]]:
    """The answers as they come, in no particular order."""
    waiting = iter(jobs)
    slots = [_Slot[J, S](serve, settings) for _ in range(processes)]
    try:
        for slot in slots:
            _next(slot, waiting, limit_s)
        while busy := {slot.connection: slot for slot in slots if slot.job is not None}:
            nearest = min(slot.deadline for slot in busy.values()) - time.monotonic()
            ready = wait(list(busy), timeout=max(nearest, 0.0))
            for connection, slot in busy.items():
                answer = _answer(slot, connection in ready, limit_s)
                if answer is None:
                    continue
                job = slot.job
                assert job is not None
                if not slot.process.is_alive():
                    slot.end()
                    slots[slots.index(slot)] = slot = _Slot(serve, settings)
                yield job, answer
                _next(slot, waiting, limit_s)
    finally:
        for slot in slots:
            slot.end()


def _next(slot: _Slot[J, S], waiting: Iterator[J], limit_s: float) -> None:
    slot.job, slot.deadline = None, float("inf")
    for job in waiting:
        slot.give(job, limit_s)
        return


def _answer(slot: _Slot[J, S], ready: bool, limit_s: float) -> Answer | None:
    """What the job came to; None while it runs."""
    if ready:
        try:
            answer: Answer = slot.connection.recv()
            if slot.ready:
                return answer
            slot.starts(limit_s)
        except (EOFError, ConnectionResetError):
            slot.end()
            return _unread(slot, "error", f"the process died (exit code {slot.process.exitcode})")
    if time.monotonic() < slot.deadline:
        return None
    slot.process.kill()
    slot.end()
    return _unread(slot, "timeout", f"not read within {limit_s:g} s")


def _unread(slot: _Slot[J, S], status: str, note: str) -> Answer:
    wall_s = round(time.monotonic() - slot.started, 3)
    return {"status": status, "note": note, "files": [], "omitted": [], "wall_s": wall_s}
