"""Makes runs, some of them side by side, as long as there is time for them.

Guarantees: no run starts that the time left cannot hold, and one that was not made is listed with
the reason; the evidence is filled in the order in which runs were asked for.
"""

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from harness.arrays import Tokens
from harness.configure.run_spec import TrainingClock
from harness.experiments.announced import Announced
from harness.experiments.evidence import Evidence
from harness.experiments.kept_files import NO_FILES, Files
from harness.experiments.run_name import RunKind, RunName
from harness.protocol.job import Loudness
from harness.protocol.question import Question
from harness.streams.distributions import Distribution
from harness.streams.drawn import SourceStream
from harness.streams.raw_text import RawText
from harness.streams.stream import Stream
from harness.trace.script_run import ScriptRun

SLACK = 1.5  # a run may take so many times what the base run took
# And these so much more: a longer stream.
LONGER = {RunKind.UNIFORM: 1.0, RunKind.UNEVEN: 1.0}

USUAL = Loudness()
Runs = Mapping[RunName, Callable[[], ScriptRun]]


class Driver(Protocol):
    """Runs the script on streams of ours, always in the same configuration."""

    def run(
        self,
        name: RunName,
        stream: Stream,
        training: Tokens | None = None,
        questions: tuple[Question, ...] = (),
        iterations: int = 0,
        louder: Loudness = USUAL,
        ranks: int = 1,
        files: Files = NO_FILES,
    ) -> ScriptRun:
        """One run; `training`: tokens for the training shards instead of drawn ones; `questions`:
        scores that are re-queried, behind which it ends; `iterations`: training steps, where the
        script can be told; `louder`: what is done so that a leak is heard; `ranks`: processes;
        `files`: what becomes of those that it writes.
        """

    def run_on(
        self,
        name: RunName,
        distribution: Distribution,
        stream: SourceStream | None = None,
        iterations: int = 0,
    ) -> ScriptRun:
        """A run on one distribution alone, also in the training shard; `stream`: another than is
        drawn; `iterations`: training steps, where the script can be told.
        """

    def run_at_length(self, name: RunName, stream: SourceStream, louder: Loudness) -> ScriptRun:
        """A run whose rows have the length at which the contest scores."""

    @property
    def stream_at_length(self) -> SourceStream | None:
        """What such a run reads; None where rows have that length anyway, or there are none."""

    @property
    def rows_alone(self) -> bool:
        """The contest lets nothing pass from row to row."""

    def longest(self, pattern: re.Pattern[str], most: int) -> Tokens:
        """Up to `most` ordinary ids whose whole piece fits, the longest pieces first."""

    def stop(self) -> None:
        """Ends the runs that are under way; none can be made any more."""

    @property
    def announced(self) -> Announced:
        """Where its runs are counted."""

    @property
    def trains(self) -> bool:
        """Whether it is given training shards."""

    @property
    def has_ranks(self) -> bool:
        """Whether the script hands anything from one rank to another."""

    @property
    def can_ask(self) -> bool:
        """Whether a score can be re-queried."""

    @property
    def training_clock(self) -> TrainingClock | None:
        """What the script's own clock is given in a usual run; None where it has none."""

    @property
    def alphabet(self) -> int:
        """Tokens that there are."""

    @property
    def byte_kinds(self) -> Tokens:
        """(V,) ids of one kind count as many bytes."""

    @property
    def raw_text(self) -> RawText | None:
        """Text of known bytes in the script's vocabulary; None without a tokenizer."""

    @property
    def may_cut(self) -> Sequence[str]:
        """Settings that were made small and may leave tokens of the stream out."""

    @property
    def table_entries(self) -> int | None:
        """Of the smallest table that the stream fills, where it is known."""

    @property
    def chunk_tokens(self) -> int:
        """Twice the longest sequence of the configuration."""


@dataclass
class Runner:
    """Fills the evidence."""

    driver: Driver
    evidence: Evidence
    deadline: float  # time.monotonic()
    jobs: int  # runs side by side
    _taken: int = field(default=0, init=False)  # of those, by runs that others go beside

    def make(
        self,
        wanted: Runs,
        more_s: float = 0.0,  # than the base run took
    ) -> None:
        """Makes the runs that there is time for."""
        with self._under_way(wanted, more_s):
            pass

    @contextlib.contextmanager
    def beside(self, wanted: Runs) -> Iterator[None]:
        """Makes a long run while the block makes others; where one core is all, in front of it."""
        if self.jobs == 1 or not wanted:
            self.make(wanted)
            yield
            return
        with self._under_way(wanted):
            self._taken = 1
            try:
                yield
            finally:
                self._taken = 0

    @contextlib.contextmanager
    def _under_way(self, wanted: Runs, more_s: float = 0.0) -> Iterator[None]:
        self.driver.announced.expect(len(wanted))
        base_s = self.evidence.base.outcome.wall_s

        def in_time(name: RunName, run: Callable[[], ScriptRun]) -> ScriptRun | None:
            times = SLACK + LONGER.get(name.kind, 0.0)
            expected_s = times * base_s + more_s
            return run() if time.monotonic() + expected_s <= self.deadline else None

        with ThreadPoolExecutor(self.jobs - self._taken) as pool:
            under_way = {name: pool.submit(in_time, name, run) for name, run in wanted.items()}
            try:
                yield
                for name, future in under_way.items():
                    self._keep(name, future.result())
            except BaseException:  # also what a signal raises: nobody waits for the others
                pool.shutdown(wait=False, cancel_futures=True)
                self._keep_ended(under_way)
                self.driver.stop()
                raise

    def _keep(self, name: RunName, made: ScriptRun | None) -> None:
        if made is None:
            self.evidence.skipped[name] = "no time was left"
        else:
            self.evidence.runs[name] = made

    def _keep_ended(self, under_way: Mapping[RunName, Future[ScriptRun | None]]) -> None:
        """What ended is evidence, whatever became of the others."""
        for name, future in under_way.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                self._keep(name, future.result())
            else:
                self.evidence.skipped[name] = "the evaluation was broken off"
