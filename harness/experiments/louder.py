"""The changed future again, with louder weights: noise is added to them.

A layer whose weights are zero passes nothing on, so what it would leak is silent; behind logits
that a short training left flat it is faint. Causality holds for every value of the weights: a move
is the same proof as it is without the noise.

Made where some weights are zero when the scores are fixed, where the changed tokens moved too few
of the scores behind them, or an earlier one by too little; not where something was proved. Two
runs; a repeat and a second future only where something moved.
Guarantees: the runs that are compared have the same noise. Does not cover: scripts that build no
torch module.
"""

from dataclasses import dataclass
from functools import partial

from harness.checks.cut import Cut, holds
from harness.checks.first_row import compare_rows
from harness.checks.future import compare, downgrade_if_model_selection
from harness.checks.power import context_power
from harness.experiments.altered import changed
from harness.experiments.evidence import LouderFuture
from harness.experiments.experiment import Experiment
from harness.experiments.run_name import RunKind, RunName
from harness.experiments.runner import Runs
from harness.protocol.job import Loudness
from harness.streams.drawn import SourceStream
from harness.trace.script_run import ScriptRun

BASE, REPEAT = RunName(RunKind.LOUD), RunName(RunKind.LOUD_REPEAT)


@dataclass(frozen=True)
class Louder(Experiment):
    """The changed future with noise in the weights."""

    def decide(self) -> None:
        """Fills `evidence.louder`."""
        cut = self.evidence.cut
        if cut is None or not self._wanted(cut):
            return
        stream = self.evidence.base.source
        self.runner.make({BASE: self._run(BASE, stream), **self._future(cut, 1)})
        self._compare(cut)
        found = self.evidence.louder
        if found is not None and found.needs_second_seed:
            self.runner.make({REPEAT: self._run(REPEAT, stream), **self._future(cut, 2)})
            self._compare(cut)

    def _wanted(self, cut: Cut) -> bool:
        base, future = self.evidence.base, self.evidence.get(RunKind.FUTURE, 1)
        found = self.evidence.future
        if future is None or found is None or not (found.nothing_moved or found.faint):
            return False
        return (
            found.faint or bool(base.silent) or not context_power(base, future, cut.context).shown
        )

    def _future(self, cut: Cut, number: int) -> Runs:
        name = RunName(RunKind.LOUD_FUTURE, number)
        stream = changed(self.evidence.base.source, cut.changed, self.seed + number)
        return {name: self._run(name, stream)}

    def _run(self, name: RunName, stream: SourceStream) -> partial[ScriptRun]:
        return partial(self.driver.run, name, stream, louder=Loudness(self.seed))

    def _compare(self, cut: Cut) -> None:
        loud, futures = self.evidence.get(RunKind.LOUD), self.evidence.all_of(RunKind.LOUD_FUTURE)
        if loud is None or loud.scored is None or not futures or not holds(loud.scored, cut):
            return
        again = self.evidence.get(RunKind.LOUD_REPEAT)
        # What moved nothing needs no repeat: the base run stands for it.
        repeats = [again] if again is not None else [loud]
        passes = [(self.seed + k, run.scored) for k, run in futures.items() if run.scored]
        found = compare(loud.scored, [r.scored for r in repeats if r.scored], passes, cut)
        runs = list(futures.values())
        row = compare_rows(loud, repeats, runs, cut, found.nothing_moved)
        self.evidence.louder = LouderFuture(downgrade_if_model_selection(found), row)
