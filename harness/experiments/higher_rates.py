"""Adaptation again, with higher learning rates: what an update carries is heard, or still is not.

A procedure that scores first does so for every rate. Where the controls of adaptation showed
nothing, the base run and the early change are made again, with the rates of steps that learn from
the stream ten and then a hundred times as high, until more than half of the later scores move; then
another future behind the cut, and its repeat and a second one where something moved.
Guarantees: the runs that are compared have the same rates. Does not cover: scripts that update by
hand or fill tables.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from harness.checks.cut import Cut, holds
from harness.checks.e_values import THRESHOLD_NATS
from harness.checks.future import FutureChange, compare, downgrade_if_model_selection
from harness.checks.power import adaptation_effect, adaptation_power, majority_moved
from harness.experiments.altered import changed, first_tokens
from harness.experiments.evidence import HigherRates
from harness.experiments.experiment import Experiment
from harness.experiments.run_name import RunKind, RunName
from harness.protocol.job import Loudness
from harness.protocol.schema import EventKind
from harness.streams.drawn import SourceStream
from harness.trace.script_run import ScriptRun

TIMES = (10.0, 100.0)


@dataclass(frozen=True)
class RaiseRates(Experiment):
    """Adaptation at higher rates."""

    def decide(self) -> None:
        """Fills `evidence.rates`."""
        cut = self.evidence.cut
        if cut is None or not self._wanted():
            return
        for number, times in enumerate(TIMES, 1):
            found = self._raised(cut, number, times)
            if found is None:
                return  # they went too far: nothing finite is left
            self.evidence.rates = found
            effect = adaptation_effect(found.base, found.early, self.evidence.reach)
            if found.refuted or majority_moved(effect):
                self._change_future(cut, found)
                return

    def _wanted(self) -> bool:
        """Steps are taken between two scores, and no control showed that they carry anything; or
        something moved, by too little to count.
        """
        evidence, base = self.evidence, self.evidence.base
        early, copied = evidence.get(RunKind.EARLY), evidence.get(RunKind.DUPLICATED)
        resampled, future = evidence.get(RunKind.RESAMPLED), evidence.future
        if future is None or not _steps_inside(base):
            return False
        if future.faint:
            return True
        if early is None or copied is None:
            return False
        pairs = ((base, early), (copied, resampled))
        effects = [adaptation_effect(a, b, evidence.reach) for a, b in pairs if b is not None]
        copies = adaptation_power(copied.scored, copied.source, THRESHOLD_NATS)
        return not copies.shown and not any(map(majority_moved, effects))

    def _raised(self, cut: Cut, number: int, times: float) -> HigherRates | None:
        stream = self.evidence.base.source
        early = changed(stream, first_tokens(cut), self.seed)
        streams = {RunKind.RATES: stream, RunKind.RATES_EARLY: early}
        self._make({RunName(kind, number): one for kind, one in streams.items()}, times)
        made, other = (self.evidence.get(kind, number) for kind in streams)
        if made is None or other is None or made.scored is None or other.scored is None:
            return None
        finite = np.isfinite(made.scored.nats).all() and holds(made.scored, cut)
        return HigherRates(times, made, other) if finite else None

    def _change_future(self, cut: Cut, found: HigherRates) -> None:
        self._futures(cut, found, 1)
        change = self._compared(cut, found)
        if change is not None and change.needs_second_seed:
            repeat = RunName(RunKind.RATES_REPEAT)
            self._make({repeat: self.evidence.base.source}, found.times)
            self._futures(cut, found, 2)
            change = self._compared(cut, found)
        self.evidence.rates = replace(found, future=change)

    def _futures(self, cut: Cut, found: HigherRates, number: int) -> None:
        stream = changed(self.evidence.base.source, cut.changed, self.seed + number)
        self._make({RunName(RunKind.RATES_FUTURE, number): stream}, found.times)

    def _compared(self, cut: Cut, found: HigherRates) -> FutureChange | None:
        again = self.evidence.get(RunKind.RATES_REPEAT) or found.base
        futures = self.evidence.all_of(RunKind.RATES_FUTURE)
        passes = [(self.seed + k, run.scored) for k, run in futures.items() if run.scored]
        if found.base.scored is None or again.scored is None or not passes:
            return None
        change = compare(found.base.scored, [again.scored], passes, cut)
        return downgrade_if_model_selection(change)

    def _make(self, streams: dict[RunName, SourceStream], times: float) -> None:
        run = partial(self.driver.run, louder=Loudness(rate_times=times))
        self.runner.make({name: partial(run, name, one) for name, one in streams.items()})


def _steps_inside(base: ScriptRun) -> bool:
    """An optimiser stepped between two scores of the pass."""
    scored, steps = base.scored, base.capture.events(EventKind.STEP)
    if scored is None or not len(scored.event):
        return False
    return bool(((steps > scored.event.min()) & (steps < scored.event.max())).any())
