"""The script in two processes, where it hands anything from one rank to another.

One run on a few ids shows what they tell each other: a pair of tokens that one rank counted is met
again where another one scores. Where that is anything before the last score, others of these ids
are put where no rank had scored yet; a repeat and a second future only where a score moved, three
repeats more where two runs differ.
Guarantees: a script that knows no ranks costs nothing. Does not cover: more than two ranks, and
accelerators, of which each rank would need its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.arrays import Tokens
from harness.checks.future import downgrade_if_model_selection
from harness.checks.ranks import RankChange, RankCut, choose_rank_cut, compare_ranks
from harness.experiments.altered import only_few
from harness.experiments.experiment import Experiment
from harness.experiments.run_name import RunKind, RunName
from harness.streams.distributions import Uniform
from harness.streams.drawn import SourceStream
from harness.streams.pure import drawn_alone
from harness.tolerances import BAND_RUNS
from harness.trace.ranks import rank_order
from harness.trace.script_run import ScriptRun

RANKS = 2
IDS = 16  # that the stream holds: a window of 32 tokens has each of them twice
NAME = RunName(RunKind.RANKS)


@dataclass(frozen=True)
class TwoRanks(Experiment):
    """The runs in two processes."""

    def decide(self) -> None:
        """Fills `evidence.ranks`, or says why not."""
        evidence, base = self.evidence, self.evidence.base
        if not self.driver.has_ranks:
            return
        if not self.driver.can_ask:
            evidence.skipped[NAME] = "only a single process on the CPU is made two"
        elif base.scored is None or not base.finished:
            evidence.skipped[NAME] = "the number of one rank was not reproduced"
        else:
            self._run(NAME, self._few_ids())
            why = self._compared()
            if why:
                evidence.skipped.setdefault(NAME, why)

    def _compared(self) -> str:
        """Why nothing can be said, or nothing."""
        made = self.evidence.runs.get(NAME)
        if made is None:
            return "no time was left"
        if not made.finished:
            return f"it did not come to its end: {made.outcome.cause}"
        order = rank_order(made)
        if order is None:
            return "its number was not reproduced, or what its ranks exchanged orders nothing"
        if not (order.inside or order.told_before):
            self.evidence.ranks = RankChange(RANKS, 0, None)
            return ""
        cut = choose_rank_cut(order)
        if cut is None:
            return "nowhere do ranks score side by side"
        self._change(made, cut, order.inside)
        found = self.evidence.ranks
        if found is None or found.future is None:
            return "its changed future was not reproduced"
        return "" if found.says else f"{found.future.reason or 'two runs are not alike'}"

    def _change(self, made: ScriptRun, cut: RankCut, exchanged: int) -> None:
        self._future(cut, 1)
        self._read(made, cut, exchanged)
        found = self.evidence.ranks
        if found is not None and found.future is not None and found.future.needs_second_seed:
            self._repeats(range(1, 2))
            self._future(cut, 2)
            self._read(made, cut, exchanged)
            found = self.evidence.ranks
        if found is not None and found.future is not None and found.future.threshold_nats is None:
            self._repeats(range(2, BAND_RUNS))
            self._read(made, cut, exchanged)

    def _read(self, made: ScriptRun, cut: RankCut, exchanged: int) -> None:
        repeats = list(self.evidence.all_of(RunKind.RANKS_REPEAT).values())
        futures = self.evidence.all_of(RunKind.RANKS_FUTURE)
        seeds = [(self.seed + number, run) for number, run in futures.items()]
        if not seeds:
            return
        # What moved nothing needs no repeat: the run itself stands for it.
        found = compare_ranks(made, repeats or [made], seeds, cut)
        if found is not None:
            future = downgrade_if_model_selection(found)
            self.evidence.ranks = RankChange(RANKS, exchanged, future)

    def _future(self, cut: RankCut, number: int) -> None:
        stream = only_few(self._few_ids(), cut.changed, self._ids(), self.seed + number)
        self._run(RunName(RunKind.RANKS_FUTURE, number), stream)

    def _repeats(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._run(RunName(RunKind.RANKS_REPEAT, number), self._few_ids())

    def _few_ids(self) -> SourceStream:
        """As long as the base run's: what one rank adds to a table another one looks up at once."""
        like = self.evidence.base.source
        return drawn_alone(Uniform(ids=self._ids()), like, len(like.tokens), self.seed)

    def _ids(self) -> Tokens:
        every, rng = self.evidence.base.source.ordinary, np.random.default_rng([self.seed, 0x4A2])
        return np.sort(rng.choice(every, min(IDS, len(every)), replace=False))

    def _run(self, name: RunName, stream: SourceStream) -> None:
        self.runner.make({name: partial(self.driver.run, name, stream, ranks=RANKS)})
