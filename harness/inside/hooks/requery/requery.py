"""Re-queries a score: the run stands still, and copies of it go on with another token.

At a chosen event the process is forked, once for every token that is asked for. In a copy the token
at one position is exchanged wherever the stream is held; the script's own code then goes on until
it has scored that position, and the copy says what it scored and ends. All copies start from one
state, so the sum of exp(-score) over the alphabet is the mass of one distribution, taken through
code that nobody had to read. The run itself ends after the last question.

Guarantees: a copy prints nothing and is ended after `COPY_S`. Does not cover: what was derived from
the stream before the event (hash keys of every position, made up front) keeps the old token, so an
answer is believed only when a whole run with that token gives the same score; accelerators; several
ranks; scores made in another thread.
"""

import contextlib
import gc
import math
import os
import select
import signal
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from harness.arrays import Tokens
from harness.inside.hooks.recording.device_queue import numbers_of
from harness.inside.hooks.recording.position_maps import Positions
from harness.inside.hooks.recording.recorder import Recorder
from harness.inside.hooks.recording.writer import AnswerWriter
from harness.inside.hooks.requery import huge_pages
from harness.inside.hooks.requery.holders import Holder, holders_of
from harness.inside.hooks.requery.serial_pools import SerialPools
from harness.protocol.question import UNITS, Counter, OfToken, Question, heaviest
from harness.streams.alignment import Aligner, K

COPY_S = 20.0  # one batch of a small run takes well under a second
READ_LATELY = 8  # places
FEWEST = 48  # answers before a mass that is large enough ends a question: they tell its cause
ANSWER = struct.Struct("<dd?ii")  # an `Answer`; of its rows the shape, they follow
MOST_ROWS = 4  # latest


@dataclass(frozen=True)
class Answer:
    """What a copy says."""

    nats: float  # of the position in question
    before: float  # nats scored meanwhile of earlier positions
    used: bool  # a gradient was taken of the position before it was scored
    rows: npt.NDArray[np.float64]  # (r, V) whose entry of the token was read


class _Waiting(NamedTuple):
    """A copy that was not heard of yet."""

    token: int
    child: int  # process
    pipe: int


class _TimeLeft:
    """Of a question. Where others use the machine, it goes on until half of the time was its own,
    and for twice as long at most.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s, self._begin, self._cpu = limit_s, time.monotonic(), _cpu_s()

    @property
    def is_over(self) -> bool:
        """Nothing more is asked."""
        spent = time.monotonic() - self._begin
        own = _cpu_s() - self._cpu
        return spent > self._limit_s * (1.0 if own > 0.5 * self._limit_s else 2.0)


def _cpu_s() -> float:
    """Of this process and of its copies that ended."""
    return sum(os.times()[:4])


@dataclass
class ForkedCopy:
    """What a copy of the process looks out for."""

    question: Question
    pipe: int
    before: float = 0.0  # nats scored of positions before the one in question
    used: bool = False
    keeps_rows: bool = False  # of the first copy: the rows are the same in all
    rows: list[npt.NDArray[np.float64]] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)  # of the position, where it has several

    def scored(
        self, counter: Counter, positions: Positions, scores: npt.NDArray[np.float64]
    ) -> None:
        """(n,) scores, nats or log-probabilities, entered a total."""
        if counter not in self.question.counters:
            return
        several = self.question.of_token is not OfToken.ONE
        nats = scores if several else self._nats(scores)
        self.before += float(nats[positions < self.question.position].sum())
        mine = positions == self.question.position
        if several:
            self.numbers += nats[mine].tolist()
            if self.numbers and (positions > self.question.position).any():
                self._end(self._of_several())
        elif mine.any():
            self._end(float(nats[mine][0]))

    def _end(self, nats: float) -> None:
        self._say(nats)
        os._exit(0)

    def _of_several(self) -> float:
        """Whether it is a logarithm of a probability shows by all of them together."""
        numbers = np.array(self.numbers)
        if self.question.of_token is OfToken.LAST:
            return float(self._nats(numbers[-1:])[0])
        if self.question.unit == "probability":
            return float(self._nats(numbers).sum())
        return float(self._nats(numbers.sum(keepdims=True))[0])

    def _say(self, nats: float) -> None:
        """Behind the numbers, the rows of the latest one's length."""
        rows = [row for row in self.rows if row.size == self.rows[-1].size][-MOST_ROWS:]
        width = rows[-1].size if rows else 0
        said = ANSWER.pack(nats, self.before, self.used, len(rows), width)
        said += b"".join(row.tobytes() for row in rows)
        while said:
            said = said[os.write(self.pipe, said) :]

    def row_read(self, numbers: Callable[[], Any], latest: list[int]) -> None:
        """Of the latest places that were read, one is the position in question."""
        if self.keeps_rows and self.question.position in latest:
            self._keep(numbers())

    def rows_picked(self, positions: Positions, row_at: Callable[[int], Any]) -> None:
        """One of the rows may be that of the position in question."""
        if self.keeps_rows:
            for place in np.flatnonzero(positions.reshape(-1) == self.question.position)[:1]:
                row = row_at(int(place))
                self._keep(numbers_of(row) if isinstance(row, Tensor) else row)

    def _keep(self, row: Any) -> None:
        if row is not None and row.size > 1 and np.isfinite(row).all():
            self.rows.append(np.array(row, np.float64))

    def _nats(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if self.question.unit == "probability":
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.asarray(-np.log(scores))
        log_probabilities = len(scores) and np.nanmedian(scores) < 0
        nats = -scores if log_probabilities else scores
        return nats * UNITS[self.question.unit]

    def learned(self, runs: npt.NDArray[np.int32]) -> None:
        """A gradient was taken over (n, 2) runs of positions."""
        at = self.question.position
        self.used |= bool(((runs[:, 0] <= at) & (at < runs[:, 1])).any())


class Requery:
    """The questions of a run, in the order of their events; listens while installed."""

    def __init__(
        self, recorder: Recorder, questions: tuple[Question, ...], writer: AnswerWriter
    ) -> None:
        self._questions = sorted(questions, key=lambda q: q.event)
        self._recorder, self._writer = recorder, writer
        self._copy: ForkedCopy | None = None  # in a copy, what it looks out for
        self._is_light = False
        self._at_once = len(os.sched_getaffinity(0))  # copies
        recorder.listener = self

    def close(self) -> None:
        """The end of the watch."""
        self._recorder.listener = None
        if self._copy is None:
            self._writer.close()

    def noted(self, event: int) -> None:
        """The process may stand still here."""
        while self._copy is None and self._questions and self._questions[0].event <= event:
            question = self._questions.pop(0)
            if question.event == event:
                self._breakpoint_reached(question)
        if self._copy is None and not self._questions:
            raise SystemExit(0)  # nothing else is wanted of this run

    def scored(
        self, line: str, read_out: bool, positions: Positions, scores: npt.NDArray[np.float64]
    ) -> None:
        """A copy ends with the score that it was made for."""
        if self._copy is not None:
            self._copy.scored(Counter(line, read_out), positions, scores)

    def learned(self, runs: npt.NDArray[np.int32]) -> None:
        """A copy notes whether its token was learnt from first."""
        if self._copy is not None:
            self._copy.learned(runs)

    def row_read(self, numbers: Callable[[], Any]) -> None:
        """A copy keeps what a score is made of."""
        if self._copy is not None:
            self._copy.row_read(numbers, self._recorder.clock.read[-READ_LATELY:])

    def rows_picked(self, positions: Positions, row_at: Callable[[int], Any]) -> None:
        """The same of rows that a score was picked out of."""
        if self._copy is not None:
            self._copy.rows_picked(positions, row_at)

    def _breakpoint_reached(self, question: Question) -> None:
        """Copies are made until every token was asked for, the mass is large enough, or the time
        is over.
        """
        recorder = self._recorder
        recorder.active = False
        self._make_light()
        holders = holders_of(recorder, question.position, sys._getframe(1))
        time_left, mass = _TimeLeft(question.limit_s), 0.0
        waiting: list[_Waiting] = []
        tokens = deque(question.tokens)
        for asked in range(len(tokens)):
            token = tokens.popleft()
            if time_left.is_over or (asked > FEWEST and mass > question.enough):
                break
            copy = self._fork(question, holders, token, keeps_rows=not asked)
            if copy is None:
                return
            waiting.append(copy)
            if asked and len(waiting) < self._at_once:
                continue
            answered = self._collect(question, waiting.pop(0))
            if answered is None and asked == 0:
                break  # the token that stands there was not scored again
            mass += 0.0 if answered is None else math.exp(-answered.nats)
            if answered is not None and asked == 0:
                tokens = _reordered(question, answered.rows)
        for copy in waiting:
            self._collect(question, copy)
        recorder.active = True

    def _make_light(self) -> None:
        """Once: what is copied often is copied fast. Nothing there is garbage to a copy, which
        would copy every page that it looks for some on.
        """
        if not self._is_light:
            self._is_light = True
            gc.freeze()
            with contextlib.suppress(OSError):  # copies are only slower
                huge_pages.gather()

    def _collect(self, question: Question, copy: "_Waiting") -> Answer | None:
        """Notes what a copy scored."""
        answer = _answer_of(copy.child, copy.pipe)
        if answer is None:
            return None
        said = answer.nats, answer.before, answer.used, answer.rows
        self._writer.answer(question.position, copy.token, *said)
        return answer

    def _fork(
        self, question: Question, holders: list[Holder], token: int, keeps_rows: bool
    ) -> "_Waiting | None":
        """A copy that was made; in the copy itself, nothing."""
        read, write = os.pipe()
        child = os.fork()
        if child:
            os.close(write)
            return _Waiting(token, child, read)
        os.close(read)
        _be_silent(write)
        SerialPools(self._recorder)
        self._copy = ForkedCopy(question, write, keeps_rows=keeps_rows)
        _exchange(self._recorder, question.position, holders, token)
        self._recorder.active = True
        return None


def _reordered(question: Question, rows: npt.NDArray[np.float64]) -> deque[int]:
    """What is left to ask; early, what those rows hold most of. As many tokens as before."""
    left = list(question.tokens[1:])
    if not rows.size or rows.shape[1] != question.alphabet:
        return deque(left)
    first = [token for token in heaviest(rows) if token != question.tokens[0]]
    return deque(list(dict.fromkeys((*left[: question.chosen - 1], *first, *left)))[: len(left)])


def _answer_of(child: int, read: int) -> Answer | None:
    """Waits for a copy, and ends it."""
    until = time.monotonic() + COPY_S
    head = _read(read, ANSWER.size, until)
    answer = None
    if len(head) == ANSWER.size:
        nats, before, used, *shape = ANSWER.unpack(head)
        rows = np.frombuffer(_read(read, 8 * shape[0] * shape[1], until), np.float64)
        if rows.size == shape[0] * shape[1]:
            answer = Answer(nats, before, used, rows.reshape(shape))
    os.close(read)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return answer


def _read(pipe: int, size: int, until: float) -> bytes:
    """So many bytes, or those that came before the end."""
    data = b""
    while len(data) < size and select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
        more = os.read(pipe, size - len(data))
        if not more:
            break
        data += more
    return data


def _be_silent(kept: int) -> None:
    """Keeps the pipe; whatever else is open belongs to the run."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    for entry in os.listdir("/proc/self/fd"):
        if int(entry) not in (0, 1, 2, kept):
            with contextlib.suppress(OSError):  # the one that listed the folder
                os.close(int(entry))


def _exchange(recorder: Recorder, position: int, holders: list[Holder], token: int) -> None:
    """The other token, wherever the stream is held; what is aligned from now on knows it."""
    for holder in holders:
        holder.put(token)
    stream = np.array(recorder.stream)
    stream[position] = token
    recorder.stream = stream
    if len(stream) >= K:
        recorder.aligner = ExchangingAligner(stream.astype(np.int64), recorder.aligner, position)


class ExchangingAligner(Aligner):
    """Of a copy: ids that the script reads only now get the other token where they are seen."""

    def __init__(self, stream: Tokens, before: Aligner, position: int) -> None:
        super().__init__(stream)
        self._before, self._position = before, position

    def positions(self, ids: npt.NDArray[np.integer]) -> Positions | None:
        """As ever, after the exchange."""
        found = super().positions(ids)
        if found is not None and (found == self._position).any():
            return found
        was = self._before.positions(ids)
        if was is None or not ids.flags.writeable:
            return found
        places = np.flatnonzero(was.reshape(-1) == self._position)
        if not len(places):
            return found
        np.put(ids, places, self.stream[self._position])
        return was
