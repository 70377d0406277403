"""Which runs a battery makes, cheapest first, and when it stops; `run_name` says what each is for.

    uniform   uniform ids alone, the longest run: on a core of its own beside the next four
    first     repeat, changed future 1, training
    spread    multi-byte and single-byte tokens, where no captured score explains a claim, or one
              that is made of several numbers
    second    changed future 2, which repeats a move under another seed; three more identical runs
              where two differed; else the controls of power: early change, duplicated chunks
    raw       text of known bytes, where the tokenizer counts more than it has
    again     a second draw of uniform ids, where the first one refutes a number that was not
              reproduced
    uneven    rare tokens among common ones in documents whose ends are drawn, beside the next four;
              another draw where tokens are left out, or a number that was not reproduced is refuted
    ranks     two ranks, where the script hands anything from one to another; the changed future of
              that run, where they told each other anything before the last score
    coverage  tokens exchanged that seem never to count, where some do
    files     the base run, which finds the artifact of `training` when it opens its own; and where
              it opens training shards behind that, their tokens in reverse order
    replayed  noise behind the first print of a number that is printed again
    louder    the changed future with noise in the weights, where something is silent
    length    the changed future with rows as long as a contest scores them, with noise
    mixed     two tokens and re-queries, where scores are no plain softmax outputs
    third     resampled prefixes, where the early change did not reach far
    rates     higher learning rates, where no control of adaptation showed anything
    last      futures of other kinds, where nothing moved, or under one future alone: was anything
              chosen on later tokens?

`--quick` makes the base run alone, behind a program's run on text; `--all` makes every run; the
default leaves out what a proof, or its absence, makes needless. Guarantees: what was run stays
evidence; what can prove comes before the last control of power (#2041 had no time left for its
proof).
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import numpy as np

from harness.checks.byte_spread import spread_distributions, unexplained
from harness.checks.cut import choose_cut
from harness.checks.first_row import FirstRow, compare_rows
from harness.checks.future import FutureChange, compare, downgrade_if_model_selection
from harness.checks.left_out import undecided
from harness.checks.power import adaptation_effect, majority_moved
from harness.checks.reloaded import opened_again
from harness.checks.source import NOT_REBUILT
from harness.experiments.altered import (
    changed,
    duplicated_chunks,
    first_tokens,
)
from harness.experiments.coverage import Coverage
from harness.experiments.evidence import Evidence
from harness.experiments.higher_rates import RaiseRates
from harness.experiments.kept_files import Files
from harness.experiments.louder import Louder
from harness.experiments.other_files import OtherFiles
from harness.experiments.other_futures import OtherFutures
from harness.experiments.raw_text import OnRawText
from harness.experiments.real_length import RealLength
from harness.experiments.replayed import Replayed
from harness.experiments.requery import Requery
from harness.experiments.run_name import BASE, FIRST_REQUERY, RunKind, RunName
from harness.experiments.runner import Driver, Runner, Runs
from harness.experiments.swap import Swap
from harness.experiments.two_ranks import TwoRanks
from harness.streams.controls import other_beginnings, training_control
from harness.streams.pure import is_pure, pure_stream
from harness.streams.uneven import uneven_stream
from harness.trace.reconstruct import PLACES_OFF
from harness.trace.script_run import ScriptRun

QUICK = "--quick makes no run beyond the base run"
N_MORE = 3  # identical runs, beside the base run and its repeat
# Whose bytes every way of counting agrees on: no space sign, no spelt-out byte or control piece.
WHOLE_PIECE = re.compile("[^\u2581<>]+")
FEWEST_IDS = 64
# Training steps on uniform ids, and on a few of them: untrained scores are all alike, so that a
# choice among them hardly gains; here the better of two gained 60 nats on 4,096 tokens after 40
# steps and none after 3.
ITERATIONS = 40
MOST_DRAWS = 3  # of tokens of unequal price


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
        evidence.clock = self.driver.training_clock
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
            kept = np.unique(base.capture.rows.position).astype(np.int64)
            off = PLACES_OFF if base.scored.inferred else 0
            evidence.cut = choose_cut(
                base.scored,
                base.source.starts,
                witnesses=kept,
                places_off=off,
                used=evidence.used_early,
            )
        if base.finished:
            evidence.unexplained = unexplained(base, evidence.declared)
        with self.runner.beside(self._uniform(1)):
            self.runner.make({**self._first(), **self._spread()})
            self.compare()
            self.runner.make(self._second(evidence.future))
            self.compare()  # now also under another seed, or against a band
            if base.finished:
                OnRawText(*self._parts).decide()
        if self._draw_again:
            self.runner.make(self._uniform(2))
        self.compare()  # a number that beats uniform ids is beaten by no choice of models
        with self.runner.beside({} if self._proved else self._uneven(1)):
            self._look_closer()
        self._unequal()
        if evidence.mixed:
            self._swap()
            self._requery()
        if evidence.refuted and not evidence.moved:
            OtherFiles(*self._parts).name_carrier()
        self.runner.make(self._third())
        if not self._proved:
            RaiseRates(*self._parts).decide()
        found = evidence.future
        # One future moves what another one leaves: so does a choice that each batch makes.
        if not self._proved and found and (found.nothing_moved or found.faint):
            OtherFutures(*self._parts).decide()

    def _look_closer(self) -> None:
        """Where nothing was proved, and tokens that never count in any case."""
        if not self._proved:
            TwoRanks(*self._parts).decide()
        if self.evidence.base.finished and (self.evidence.cut is not None or not self._proved):
            Coverage(*self._parts).decide()
        if not self._proved:
            Replayed(*self._parts).decide()
        if not self._proved:
            OtherFiles(*self._parts).decide()
        if not self._proved:
            Louder(*self._parts).decide()
        if not self._proved:
            RealLength(*self._parts).decide()

    @property
    def _parts(self) -> tuple[Driver, Evidence, int, Runner]:
        """Of an `Experiment`."""
        return self.driver, self.evidence, self.seed, self.runner

    @property
    def _everything(self) -> bool:
        return self.effort is Effort.ALL

    @property
    def _proved(self) -> bool:
        found = self.evidence
        files = (found.remembered, found.reloaded, found.shards_counted)
        remembered = any(one is not None and one.proves for one in files)
        drawn = found.drawn_refuted or found.too_heavy
        return found.refuted or found.moved or drawn or remembered

    @property
    def _draw_again(self) -> bool:
        """A printed number alone was refuted: once may be luck."""
        return any(one.test.refuted and not one.reproduced for one in self.evidence.pure)

    def _uniform(self, number: int) -> Runs:
        """Not of a program, whose artifact knows other tokens; nor where the base run is one."""
        base, driver = self.evidence.base, self.driver
        if not driver.trains or is_pure(base.source):
            return {}
        if self.evidence.refuted and not self._everything:
            return {}  # nothing is left to prove with the longest run of all
        in_bits = base.headline is not None and base.headline.nats_per_token is None
        ids = driver.longest(WHOLE_PIECE, driver.alphabet) if in_bits else None
        enough = ids is not None and len(ids) >= FEWEST_IDS
        seed = self.seed + number
        drawn = pure_stream(base.source, seed, self._shard_tokens, ids if enough else None)
        name = RunName(RunKind.UNIFORM, number)
        return {name: partial(driver.run, name, drawn.stream, drawn.shard, iterations=ITERATIONS)}

    def _unequal(self) -> None:
        """More draws, while what was left out, or refuted by the printed number alone, is open."""
        for number in range(2, MOST_DRAWS + 1):
            drawn = self.evidence.uneven
            alone = [t for t in drawn if t.test.refuted and not t.reproduced]
            is_open = len(alone) == number - 1 or undecided(self.evidence.left_out)
            if not drawn or not is_open or self.evidence.drawn_refuted:
                return
            self.runner.make(self._uneven(number))

    def _uneven(self, number: int) -> Runs:
        """Of the same scripts as uniform ids."""
        base, driver, seed = self.evidence.base, self.driver, self.seed + number
        if not driver.trains or is_pure(base.source):
            return {}
        drawn = uneven_stream(base.source, seed, self._shard_tokens)
        if drawn is None:
            return {}
        name = RunName(RunKind.UNEVEN, number)
        return {name: partial(driver.run, name, drawn.stream, drawn.shard, iterations=ITERATIONS)}

    @property
    def _shard_tokens(self) -> int:
        base = self.evidence.base
        return max((len(shard) for shard in base.training), default=len(base.stream.tokens))

    def _first(self) -> Runs:
        stream, repeat = self.evidence.base.source, RunName(RunKind.REPEAT)
        if self.evidence.cut is None:
            self.evidence.skipped[RunName(RunKind.FUTURE, 1)] = NOT_REBUILT
            return {repeat: partial(self.driver.run, repeat, stream), **self._training()}
        return {
            repeat: partial(self.driver.run, repeat, stream),
            **self._future(1),
            **self._training(),
        }

    def _training(self) -> Runs:
        if not self.driver.trains:
            return {}
        stream, name = self.evidence.base.source, RunName(RunKind.TRAINING)
        shard = training_control(stream, self._shard_tokens)  # as long as what it trained on
        keeps = Files(opened_again(self.evidence.base))
        return {name: partial(self.driver.run, name, stream, shard, files=keeps)}

    def _spread(self) -> Runs:
        if not self.evidence.unexplained:
            return {}
        names = RunName(RunKind.MULTI_BYTE), RunName(RunKind.SINGLE_BYTE)
        distributions = spread_distributions(self.driver.longest)
        if not distributions:
            few = dict.fromkeys(names, "the vocabulary has too few of them")
            self.evidence.skipped.update(few)
        pairs = zip(names, distributions, strict=False)
        return {
            name: partial(self.driver.run_on, name, only, iterations=ITERATIONS)
            for name, only in pairs
        }

    def _second(self, found: FutureChange | None) -> Runs:
        more: Runs = {}
        row = self.evidence.first_row
        again = row is not None and row.needs_second_seed
        if found is not None and (found.needs_second_seed or again or self._everything):
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
        self.evidence.first_row = self._first_row()

    def _compared(self) -> FutureChange | None:
        evidence, base = self.evidence, self.evidence.base.scored
        again = evidence.all_of(RunKind.REPEAT) | evidence.all_of(RunKind.BAND)
        futures = evidence.all_of(RunKind.FUTURE)
        repeats = [run.scored for run in again.values() if run.scored]
        others = [(self.seed + k, run.scored) for k, run in futures.items() if run.scored]
        if base is None or evidence.cut is None or not repeats or not others:
            return None
        found = compare(base, repeats, others, evidence.cut)
        beaten = evidence.refuted or evidence.pure_refuted
        return found if beaten else downgrade_if_model_selection(found)

    def _first_row(self) -> FirstRow | None:
        evidence = self.evidence
        again = evidence.all_of(RunKind.REPEAT) | evidence.all_of(RunKind.BAND)
        futures, found = evidence.all_of(RunKind.FUTURE), evidence.future
        if evidence.cut is None or found is None:
            return None
        repeats, others = list(again.values()), list(futures.values())
        return compare_rows(evidence.base, repeats, others, evidence.cut, found.nothing_moved)

    def _swap(self) -> None:
        """Only where nothing was proved yet, or everything is wanted."""
        if not (self.evidence.refuted or self.evidence.moved) or self._everything:
            Swap(*self._parts).decide()

    def _requery(self) -> None:
        requery = Requery(*self._parts)
        skipped = self.evidence.skipped
        if not self.driver.can_ask:
            skipped[FIRST_REQUERY] = "only a single process on the CPU can be copied"
        elif self._proved and self.evidence.best and not self._everything:
            skipped[FIRST_REQUERY] = "the best of several scores is no question of mass"
        elif self._proved:
            requery.decide()
        elif self._everything:
            requery.exclude()
        else:
            requery.bound()
        if not self._proved and not self.evidence.best:
            requery.make_sure()
