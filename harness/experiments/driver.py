"""Runs one submission's script on streams of ours: finds a configuration that it accepts, keeps it,
and stages every run of the battery alike. On a GPU the script keeps its own sizes.

Guarantees: all runs of a battery differ in their tokens alone, but for a longer training where one
is asked for; every configuration that was tried is kept with its outcome. Does not cover: judging.
"""

import contextlib
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path

from audits.facts.documented.printed_scores import CountedLine, DeclaredScore, declared_score
from harness.arrays import Tokens
from harness.configure.attempted import Attempted, Lack
from harness.configure.configuration import Configuration
from harness.configure.run_spec import Subject, TrainingClock
from harness.configure.setting import OriginKind, texts
from harness.configure.shrinking.rules import counted_entries
from harness.configure.shrinking.target import StreamShape
from harness.experiments.announced import Announced
from harness.experiments.kept_files import NO_FILES, Files
from harness.experiments.machine_fault import require_machine
from harness.experiments.run_name import TEXT, RunName
from harness.experiments.runner import USUAL
from harness.experiments.staged_run import Limits, staged_run
from harness.experiments.unrunnable import unrunnable
from harness.observer import Observer
from harness.protocol.job import Job, Loudness, RunState
from harness.protocol.question import Question
from harness.sandbox.pool import Pool
from harness.streams.distributions import Distribution
from harness.streams.drawn import SourceStream
from harness.streams.raw_text import RawText, raw_text
from harness.streams.stream import Stream
from harness.streams.stream_plan import StreamPlan
from harness.streams.vocabulary import Vocabulary
from harness.trace.printed_log import read_log
from harness.trace.script_run import ScriptRun, read_run
from harness.trace.work_done import work_done

# Settings that say how much of validation is read, and those that only say in what shape.
CUTS = re.compile(
    r"(VAL|EVAL|DOC|TTT).*(MAX|MIN|LIMIT|NUM|TOKENS|BATCHES|STEPS|ITERS|LEN)"
    r"|(MAX|MIN|LIMIT|NUM|FIRST).*(VAL|EVAL|DOC|TOKENS|WINDOWS|CHUNKS|SEQS|BATCHES)|FRAC",
    re.IGNORECASE,
)
SHAPES = re.compile(r"SEQ_?LEN|BATCH_TOKENS|CHUNK_TOKENS|BATCH_(SEQS|SIZE)|TTT_(STEPS|ITERS)", re.I)
LOG_TAIL = 4_000  # characters in which a script's complaint is looked for
RANKS_SLACK, RANKS_S = 3.0, 20.0  # a run of several ranks may take so many times as long, and more
READ_S = 20.0  # that reading what a run left may take, also at the end of the budget
READ_MOST_S = 3600.0
MORE_ATTEMPTS = 2  # at a base run that did all of its work, where one ended well without it

# A script that takes longer is made smaller first: some ten runs have to fit into the budget.
SHARE, SHORT_S, SHORT_ATTEMPTS = 1 / 6, 90.0, 2
UNHURRIED = "the same as the last one that took too long, with all the time of a run"


@dataclass(frozen=True, eq=False)
class Base:
    """The best run so far, and what is known of it."""

    run: ScriptRun
    attempt: Attempted


@dataclass
class ScriptDriver:
    """One submission."""

    subject: Subject
    pool: Pool
    out: Path
    seed: int
    limits: Limits
    plan: StreamPlan
    tokenizers: Sequence[Path] = ()
    drawn: SourceStream | None = None  # the validation stream, where it was drawn beforehand
    announced: Announced = field(default_factory=lambda: Announced(Observer()))
    tried: list[Attempted] = field(default_factory=list)
    changes: dict[str, tuple[str, ...]] = field(default_factory=dict)  # run -> made to the script
    vocabulary: Vocabulary = field(init=False)
    chosen: Configuration = field(init=False)  # that of the base run
    lacks: tuple[Lack, ...] = ()  # work that the base run was to do and did not

    def begin(self) -> Configuration:
        """Chooses the first one, and the vocabulary that it asks for."""
        native = self.limits.device == "cuda"
        self.vocabulary = self._vocabulary(self.subject.first(self._shape(0), native))
        self.chosen = self.subject.first(self._shape(self.vocabulary.size), native)
        return self.chosen

    def find_configuration(self) -> ScriptRun:
        """The base run: one configuration after the other, until the script prints a number and
        ends well. A run that broke off behind a number is kept for want of a better one.

        Raises SubmissionError with the last complaint when none printed any, SandboxError where the
        end is no fault of the script.
        """
        configuration: Configuration | None = self.begin()
        best: Base | None = None
        since = 0  # attempts that have not done better than the base run
        short_s = self._short_s()
        while configuration is not None:
            name = RunName.attempt(len(self.tried) + 1)
            stream, foreseen = self._base_stream(configuration), self.subject.foreseen
            timed = [one for one in self.tried if one.outcome.state is RunState.TIMED_OUT]
            most_s = short_s if len(timed) < SHORT_ATTEMPTS else float("inf")
            run = self._run(name, stream, configuration, None, foreseen=foreseen, most_s=most_s)
            log = read_log(self.out / str(name) / "output.log")
            attempt = self._attempted(configuration, run, log, foreseen)
            self.tried.append(attempt)
            require_machine(run.outcome, self.subject.spec(configuration, self.vocabulary))
            since += 1
            if run.headline is not None and (best is None or attempt.rank > best.attempt.rank):
                best, since, self.chosen = Base(run, attempt), 0, configuration
            late = time.monotonic() > self.limits.deadline
            if late or (best and since >= MORE_ATTEMPTS and best.run.finished):
                break
            shape = self._shape(self.vocabulary.size)
            configuration = self.subject.next(shape, self.tried) or self._unhurried()
            if configuration is not None:
                self.vocabulary = self._vocabulary(configuration)
        if best is None:
            raise unrunnable(self.subject.entry, run.outcome, len(self.tried))
        self.vocabulary, self.lacks = self._vocabulary(self.chosen), best.attempt.lacks
        return best.run

    def _short_s(self) -> float:
        """Of the first attempts; a GPU keeps the folder's own sizes, and smaller is not quicker."""
        if self.limits.device == "cuda":
            return float("inf")
        return max(SHORT_S, SHARE * (self.limits.deadline - time.monotonic()))

    def _unhurried(self) -> Configuration | None:
        """The last one that was ended early, for a machine on which nothing is quick: once."""
        if any(one.is_complete or one.configuration.why == UNHURRIED for one in self.tried):
            return None
        late = [one for one in self.tried if one.outcome.state is RunState.TIMED_OUT]
        if not 0 < len(late) <= SHORT_ATTEMPTS:
            return None
        return replace(late[-1].configuration, why=UNHURRIED)

    def _attempted(
        self,
        configuration: Configuration,
        run: ScriptRun,
        log: str,
        foreseen: Sequence[str] | None,
    ) -> Attempted:
        """How it went."""
        printed = run.headline is not None
        lacks = work_done(run, log).lacks(self.subject.optimises) if printed else ()
        new = any(one.is_size and one.name not in (foreseen or ()) for one in run.asked)
        cut_short = foreseen is not None and new and not printed and run.finished
        tail = log[-LOG_TAIL:]
        return Attempted(configuration, run.outcome, tail, printed, lacks, run.asked, cut_short)

    def _base_stream(self, configuration: Configuration) -> SourceStream:
        if self.drawn is not None:
            return self.drawn
        return self.plan.drawn(self.vocabulary, self.seed, factor=configuration.stream_factor)

    def run_on_text(
        self, text: Stream, configuration: Configuration, time_limit_s: float
    ) -> ScriptRun:
        """A run on text of no known source: it gives a score and no proof.

        Raises SubmissionError where none was printed.
        """
        self.vocabulary = self._vocabulary(configuration)
        run = self._run(TEXT, text, configuration, None, until=time.monotonic() + time_limit_s)
        if run.headline is None or not run.finished:
            # How it ended is in the report.
            self.tried.append(Attempted(configuration, run.outcome))
            require_machine(run.outcome, self.subject.spec(configuration, self.vocabulary))
            raise unrunnable(self.subject.entry, run.outcome, 1)
        return run

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
        """One more run in the configuration that the base run found; `iterations`: other training
        steps, where the script can be told; `ranks`: processes, if there are more than usual;
        `files`: what becomes of those that it writes.
        """
        longer, until = self._longer(iterations), None
        if ranks > 1:  # they may wait for each other in vain
            took_s = max(a.outcome.wall_s for a in self.tried if a.configuration is self.chosen)
            until = min(self.limits.deadline, time.monotonic() + RANKS_SLACK * took_s + RANKS_S)
        return self._run(
            *(name, stream, longer, training, questions),
            until=until,
            louder=louder,
            ranks=ranks,
            files=files,
        )

    def _longer(self, iterations: int) -> Configuration:
        if not iterations:
            return self.chosen
        return self.subject.longer(self._shape(self.vocabulary.size), self.chosen, iterations)

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
        factor = self.chosen.stream_factor
        stream = stream or self.plan.drawn(
            self.vocabulary, self.seed, factor=factor, only=distribution
        )
        shard = self.plan.drawn(self.vocabulary, self.seed, split=1, only=distribution)
        return self._run(name, stream, self._longer(iterations), shard.tokens)

    def run_at_length(self, name: RunName, stream: SourceStream, louder: Loudness) -> ScriptRun:
        """A run whose rows have the length at which the contest scores."""
        at = self.subject.at_length
        assert at is not None
        shard = at.plan.drawn(self.vocabulary, self.seed, split=1)
        return self._run(name, stream, at.configuration, shard.tokens, louder=louder)

    @property
    def stream_at_length(self) -> SourceStream | None:
        """What such a run reads; None where rows have that length anyway, or there are none."""
        at = self.subject.at_length
        return None if at is None else at.plan.drawn(self.vocabulary, self.seed)

    @property
    def rows_alone(self) -> bool:
        """The contest lets nothing pass from row to row."""
        at = self.subject.at_length
        return at is not None and at.rows_alone

    def stop(self) -> None:
        """Ends the runs that are under way; none can be made any more."""
        self.pool.stop()

    def longest(self, pattern: re.Pattern[str], most: int) -> Tokens:
        """Up to `most` ids whose whole piece fits."""
        return self.vocabulary.longest(pattern, most)

    @property
    def training_clock(self) -> TrainingClock | None:
        """What the script's own clock is given in a usual run."""
        return self.subject.training_clock

    @property
    def alphabet(self) -> int:
        """Tokens that there are."""
        return self.vocabulary.size

    @property
    def byte_kinds(self) -> Tokens:
        """(V,) ids of one kind count as many bytes."""
        return self.vocabulary.byte_kinds

    @property
    def raw_text(self) -> RawText | None:
        """As long as the base run's stream."""
        return raw_text(self.vocabulary, self.plan.stream_tokens * self.chosen.stream_factor)

    @property
    def may_cut(self) -> Sequence[str]:
        """By their names: how many documents, tokens or batches of validation are read."""
        told = self.chosen.settings.items()
        small = (name for name, value in told if value.origin.kind is OriginKind.SHRUNK)
        return [name for name in small if CUTS.search(name) and not SHAPES.search(name)]

    @property
    def trains(self) -> bool:
        """It is given training shards."""
        return self.subject.trains

    @property
    def has_ranks(self) -> bool:
        """By its text."""
        return self.subject.has_ranks

    @property
    def can_ask(self) -> bool:
        """A process that holds an accelerator, or waits for other ranks, cannot be copied."""
        return self.limits.device == "cpu" and self.limits.ranks == 1

    @property
    def table_entries(self) -> int | None:
        """Of the smallest table that the stream fills, where a setting says how many it has."""
        told = texts(self.chosen.settings)
        sizes = [counted_entries(name, text) for name, text in told.items()]
        return min((size for size in sizes if size is not None), default=None)

    def _shape(self, vocab_size: int) -> StreamShape:
        tokens, mean = self.plan.stream_tokens, self.plan.document_tokens
        return StreamShape(tokens, vocab_size, tokens // mean)

    @property
    def chunk_tokens(self) -> int:
        """Longer than any context of the configuration."""
        return 2 * self.chosen.target.seq_len

    def _run(
        self,
        name: RunName,
        stream: Stream,
        configuration: Configuration,
        training: Tokens | None,
        questions: tuple[Question, ...] = (),
        until: float | None = None,  # another end than that of the evaluation, monotonic s
        foreseen: Sequence[str] | None = None,  # it ends where it asks for other sizes
        louder: Loudness = USUAL,
        ranks: int = 1,  # if there are more than usual
        most_s: float = float("inf"),
        files: Files = NO_FILES,
    ) -> ScriptRun:
        staged = self.staged(str(name), stream, configuration, training)
        with self.announced.run(name) as outcomes, staged as job:
            end = self.limits.deadline if until is None else until
            left_s = end - time.monotonic()
            limit_s = max(1.0, min(job.time_limit_s, left_s, most_s) if until is None else left_s)
            known = None if foreseen is None else tuple(foreseen)
            job = replace(job, time_limit_s=limit_s, questions=questions, foreseen=known)
            job = replace(job, louder=louder, ranks=max(job.ranks, ranks))
            job = replace(job, exchanged=files.exchanged(self.out), turned=files.turned)
            outcome = self.pool.run(job)
            outcomes.append(outcome)
            files.keep(job.stage, job.out)
        token_bytes = self.vocabulary.token_bytes(stream.tokens)
        most = self.vocabulary.most_bytes(stream.tokens)
        read_s = min(max(READ_S, end - time.monotonic()), READ_MOST_S)
        return read_run(job, outcome, stream, token_bytes, self._shards(), self.claim, most, read_s)

    def _shards(self) -> tuple[Tokens, ...]:
        """The drawn training shards; none where the subject is given none."""
        return _training(self.plan, self.vocabulary, self.seed) if self.subject.trains else ()

    @cached_property
    def claim(self) -> DeclaredScore:
        """What the folder's own logs say of the numbers that submission.json declares."""
        said = declared_score(self.subject.logs.values(), self.subject.declared)
        line = self.subject.counted_line
        return (
            said if line is None else replace(said, line=CountedLine(re.compile(line[0]), line[1]))
        )

    def _vocabulary(self, configuration: Configuration) -> Vocabulary:
        return self.subject.vocabulary(configuration, self.tokenizers)

    @contextlib.contextmanager
    def staged(
        self,
        name: str,
        stream: Stream,
        configuration: Configuration | None = None,  # None: that of the base run
        training: Tokens | None = None,
    ) -> Iterator[Job]:
        """The stage of a run."""
        shards = self._shards() if training is None or not self.subject.trains else (training,)
        place, told = self.out / name, configuration or self.chosen
        given = (self.subject, told, self.vocabulary, (stream, shards), place)
        with staged_run(*given, self.limits, self.plan.run_s) as staged:
            self.changes[name] = staged.changes
            yield staged.job


@lru_cache(maxsize=2)
def _training(plan: StreamPlan, vocabulary: Vocabulary, seed: int) -> tuple[Tokens, ...]:
    """Two shards of the same distributions; nothing shared with the validation stream."""
    return tuple(plan.drawn(vocabulary, seed, split).tokens for split in (1, 2))
