"""Which runs a battery makes, cheapest first, and when it stops; `run_name` says what each is for.

    first     repeat, changed future 1, training
    spread    multi-byte and single-byte tokens, where no captured score explains a claim
    second    changed future 2, which repeats a move under another seed; three more identical runs
              where two differed; else the controls of power: early change, duplicated chunks
    mixed     two tokens and re-queries, where scores are no plain softmax outputs
    third     resampled prefixes, where the early change did not reach far

`--quick` makes the base run alone, behind a program's run on text; `--all` makes every run; the
default leaves out what a proof, or its absence, makes needless. Guarantees: what was run stays
evidence; what can prove comes before the last control of power (#2041 had no time left for its
proof).
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from harness.checks.byte_spread import spread_distributions, unexplained
from harness.checks.cut import choose_cut
from harness.checks.future import FutureChange, compare, downgrade_if_model_selection
from harness.checks.power import adaptation_effect, majority_moved
from harness.checks.source import NOT_REBUILT
from harness.experiments.altered import changed, duplicated_chunks, first_tokens
from harness.experiments.evidence import Evidence
from harness.experiments.requery import Requery
from harness.experiments.run_name import BASE, FIRST_REQUERY, RunKind, RunName
from harness.experiments.runner import Driver, Runner, Runs
from harness.experiments.swap import Swap
from harness.streams.controls import other_beginnings, training_control
from harness.trace.script_run import ScriptRun

QUICK = "--quick makes no run beyond the base run"
N_MORE = 3  # identical runs, beside the base run and its repeat


FIRST_ROUND = (RunName(RunKind.REPEAT), RunName(RunKind.FUTURE, 1), RunName(RunKind.TRAINING))


class Effort(StrEnum):
    """How much is run."""

    QUICK = "quick"
    DEFAULT = "default"
    ALL = "all"


@dataclass(frozen=True)
class Battery:
    """The runs after the base run."""

    driver: Driver
    effort: Effort
    seed: int
    deadline: float  # time.monotonic()
    jobs: int = 1
    declared: Collection[str] = ()  # kinds of the numbers that submission.json names

    def begin(self, base: ScriptRun) -> Evidence:
        """What is known from the base run alone."""
        evidence = Evidence(base, {BASE: base}, self.driver.chunk_tokens)
        evidence.declared = self.declared
        evidence.trains = self.driver.trains
        evidence.table_entries = self.driver.table_entries
        return evidence

    def complete(self, evidence: Evidence) -> None:
        """Every run that the effort and the time left allow. One that is broken off by a signal
        leaves the evidence of those that ended.
        """
        if self.effort is Effort.QUICK:
            evidence.skipped |= dict.fromkeys(FIRST_ROUND, QUICK)
            return
        runner = Runner(self.driver, evidence, self.deadline, self.jobs)
        rounds = Rounds(self.driver, self.effort, self.seed, evidence, runner)
        try:
            rounds.make_all()
        except KeyboardInterrupt:
            rounds.compare()
            raise


@dataclass(frozen=True)
class Rounds:
    """One battery under way."""

    driver: Driver
    effort: Effort
    seed: int
    evidence: Evidence
    runner: Runner

    def make_all(self) -> None:
        """Round after round; what one showed decides what the next one makes."""
        evidence, base = self.evidence, self.evidence.base
        if base.scored is not None and base.finished:
            evidence.cut = choose_cut(base.scored, base.source.starts)
        if base.finished:
            evidence.unexplained = unexplained(base, evidence.declared)
        self.runner.make(self._first())
        self.runner.make(self._spread())
        self.compare()
        self.runner.make(self._second(evidence.future))
        self.compare()  # now also under another seed, or against a band
        if evidence.mixed:
            self._swap()
            self._requery()
        self.runner.make(self._third())

    @property
    def _everything(self) -> bool:
        return self.effort is Effort.ALL

    @property
    def _proved(self) -> bool:
        return self.evidence.refuted or self.evidence.moved

    def _first(self) -> Runs:
        stream, repeat = self.evidence.base.source, RunName(RunKind.REPEAT)
        if self.evidence.cut is None:
            for name in (repeat, RunName(RunKind.FUTURE, 1)):
                self.evidence.skipped[name] = NOT_REBUILT
            return self._training()
        return {
            repeat: partial(self.driver.run, repeat, stream),
            **self._future(1),
            **self._training(),
        }

    def _training(self) -> Runs:
        if not self.driver.trains:
            return {}
        stream, name = self.evidence.base.source, RunName(RunKind.TRAINING)
        shard = training_control(stream, len(stream.tokens))
        return {name: partial(self.driver.run, name, stream, shard)}

    def _spread(self) -> Runs:
        if not self.evidence.unexplained:
            return {}
        names = RunName(RunKind.MULTI_BYTE), RunName(RunKind.SINGLE_BYTE)
        distributions = spread_distributions(self.driver.longest)
        if not distributions:
            few = dict.fromkeys(names, "the vocabulary has too few of them")
            self.evidence.skipped.update(few)
        pairs = zip(names, distributions, strict=False)
        return {name: partial(self.driver.run_on, name, only) for name, only in pairs}

    def _second(self, found: FutureChange | None) -> Runs:
        more: Runs = {}
        if found is not None and (found.needs_second_seed or self._everything):
            more = self._future(2)
        if found is not None and found.threshold_nats is None:
            more = self._band() | self._future(2)
        if self.evidence.cut is None or (more and not self._everything):
            return more
        wanted = self.evidence.base.adapts or self._everything
        return {**more, **self._adaptation()} if wanted else more

    def _future(self, number: int) -> dict[RunName, partial[ScriptRun]]:
        """Another future, under a seed of its own."""
        assert self.evidence.cut is not None
        stream = changed(self.evidence.base.source, self.evidence.cut.changed, self.seed + number)
        name = RunName(RunKind.FUTURE, number)
        return {name: partial(self.driver.run, name, stream)}

    def _band(self) -> dict[RunName, partial[ScriptRun]]:
        names = [RunName(RunKind.BAND, number) for number in range(1, N_MORE + 1)]
        return {name: partial(self.driver.run, name, self.evidence.base.source) for name in names}

    def _adaptation(self) -> dict[RunName, partial[ScriptRun]]:
        """What the script's own updates save on copies, and how far they carry."""
        assert self.evidence.cut is not None
        stream, seed = self.evidence.base.source, self.seed
        streams = {
            RunName(RunKind.EARLY): changed(stream, first_tokens(self.evidence.cut), seed),
            RunName(RunKind.DUPLICATED): duplicated_chunks(stream, self.driver.chunk_tokens, seed),
        }
        return {name: partial(self.driver.run, name, stream) for name, stream in streams.items()}

    def _third(self) -> Runs:
        evidence, name = self.evidence, RunName(RunKind.RESAMPLED)
        early, copied = evidence.get(RunKind.EARLY), evidence.get(RunKind.DUPLICATED)
        if not evidence.base.adapts or early is None or copied is None:
            return {}
        if majority_moved(adaptation_effect(evidence.base, early, evidence.reach)):
            return {}
        stream = other_beginnings(copied.source, self.driver.chunk_tokens, self.seed)
        return {name: partial(self.driver.run, name, stream)}

    def compare(self) -> None:
        """The runs so far: did scores move with later tokens?"""
        self.evidence.future = self._compared()

    def _compared(self) -> FutureChange | None:
        evidence, base = self.evidence, self.evidence.base.scored
        again = evidence.all_of(RunKind.REPEAT) | evidence.all_of(RunKind.BAND)
        futures = evidence.all_of(RunKind.FUTURE)
        repeats = [run.scored for run in again.values() if run.scored]
        others = [(self.seed + k, run.scored) for k, run in futures.items() if run.scored]
        if base is None or evidence.cut is None or not repeats or not others:
            return None
        found = compare(base, repeats, others, evidence.cut)
        return found if evidence.refuted else downgrade_if_model_selection(found)

    def _swap(self) -> None:
        """Only where nothing was proved yet, or everything is wanted."""
        if not self._proved or self._everything:
            Swap(self.driver, self.evidence, self.runner).decide()

    def _requery(self) -> None:
        requery = Requery(self.driver, self.evidence, self.seed, self.runner)
        skipped = self.evidence.skipped
        if not self.driver.can_ask:
            skipped[FIRST_REQUERY] = "only a single process on the CPU can be copied"
        elif self._proved:
            requery.decide()
        elif self._everything:
            requery.exclude()
        else:
            skipped[FIRST_REQUERY] = "nothing was refuted; --all asks for every token"
