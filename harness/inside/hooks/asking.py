"""Asks a score again: the run stands still, and copies of it go on with another token.

At a chosen event the process is forked, once for every token that is asked. In a copy the token at
one position is exchanged wherever the stream is held; the script's own code then goes on until it
has counted that position, and the copy says what it counted and ends. All copies start from one
state, so the sum of exp(-score) over the alphabet is the mass of one distribution, taken through
code that nobody had to read. The run itself ends after the last question.

Guarantees: a copy prints nothing and is ended after `COPY_S`. Does not cover: what was derived from
the stream before the event (hash keys of every position, made up front) keeps the old token, so an
answer is believed only when a whole run with that token gives the same score; accelerators;
several ranks; scores counted in another thread.
"""

import contextlib
import os
import select
import signal
import struct
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.inside.hooks.holders import Holder, holders_of
from harness.inside.hooks.writer import AnswerWriter
from harness.protocol.question import Question
from harness.streams.alignment import Aligner, K

if TYPE_CHECKING:
    from harness.inside.hooks.recorder import Recorder

COPY_S = 20.0  # one batch of a small run takes well under a second
FEWEST = 16  # answers before a mass that is large enough ends a question
ANSWER = struct.Struct("<dd?")  # nats, nats of earlier positions, whether an update used the token


@dataclass
class Copy:
    """What a copy of the process looks out for."""

    question: Question
    pipe: int
    before: float = 0.0  # nats counted of positions before the one that is asked
    used: bool = False

    def counted(self, site: str, places: Any, nats: Any) -> None:
        """Scores entered a total."""
        if site not in self.question.sites:
            return
        self.before += float(nats[places < self.question.position].sum())
        mine = places == self.question.position
        if mine.any():
            os.write(self.pipe, ANSWER.pack(float(nats[mine][0]), self.before, self.used))
            os._exit(0)

    def learnt(self, runs: Any) -> None:
        """A gradient was taken over runs of positions, (n, 2)."""
        at = self.question.position
        self.used |= bool(((runs[:, 0] <= at) & (at < runs[:, 1])).any())


class Asker:
    """The questions of a run, in the order of their events."""

    def __init__(self, questions: tuple[Question, ...], writer: AnswerWriter) -> None:
        self._questions = sorted(questions, key=lambda q: q.event)
        self._writer = writer
        self.copy: Copy | None = None  # in a copy, what it looks out for

    def passed(self, recorder: "Recorder", event: int) -> None:
        """An event was written down; the process may stand still here."""
        while self.copy is None and self._questions and self._questions[0].event <= event:
            question = self._questions.pop(0)
            if question.event == event:
                self._ask(recorder, question)
        if self.copy is None and not self._questions:
            raise SystemExit(0)  # nothing else is wanted of this run

    def close(self) -> None:
        """The end of the watch."""
        if self.copy is None:
            self._writer.close()

    def _ask(self, recorder: "Recorder", question: Question) -> None:
        """Until every token was asked, the mass is large enough, or the time is over."""
        recorder.active = False
        held = holders_of(recorder, question.position, sys._getframe(1))
        deadline, mass = time.monotonic() + question.limit_s, 0.0
        for asked, token in enumerate(question.tokens):
            if time.monotonic() > deadline or (asked > FEWEST and mass > question.enough):
                break
            answer = self._fork(recorder, question, held, token)
            if self.copy is not None:
                return
            if answer is None:
                if asked == 0:
                    break  # the token that stands there was not counted again
                continue
            self._writer.answer(question.position, token, *answer)
            mass += float(np.exp(-answer[0]))
        recorder.active = True

    def _fork(
        self, recorder: "Recorder", question: Question, held: list[Holder], token: int
    ) -> tuple[float, float, bool] | None:
        """What a copy counted; in the copy itself, nothing."""
        read, write = os.pipe()
        child = os.fork()
        if child:
            os.close(write)
            return _answer_of(child, read)
        os.close(read)
        _be_silent(write)
        self.copy = Copy(question, write)
        _exchange(recorder, question.position, held, token)
        recorder.active = True
        return None


def _answer_of(child: int, read: int) -> tuple[float, float, bool] | None:
    """Waits for a copy, and ends it."""
    ready, _, _ = select.select([read], [], [], COPY_S)
    data = os.read(read, ANSWER.size) if ready else b""
    os.close(read)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return ANSWER.unpack(data) if len(data) == ANSWER.size else None


def _be_silent(kept: int) -> None:
    """Keeps the pipe; whatever else is open belongs to the run."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    for entry in os.listdir("/proc/self/fd"):
        if int(entry) not in (0, 1, 2, kept):
            with contextlib.suppress(OSError):  # the one that listed the folder
                os.close(int(entry))


def _exchange(recorder: "Recorder", position: int, held: list[Holder], token: int) -> None:
    """The other token, wherever the stream is held; what is aligned from now on knows it."""
    for holder in held:
        holder.put(token)
    stream = np.array(recorder.stream)
    stream[position] = token
    recorder.stream = stream
    if len(stream) >= K:
        recorder.aligner = Aligner(stream.astype(np.int64))
