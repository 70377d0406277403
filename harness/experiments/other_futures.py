"""Futures of other kinds: does what was scored before depend on what kind of tokens come later?

    noisy       the base run with noise in its weights and more training steps: between a confident
                model and the best of many states of it a choice is seldom, between these it is not
    likely      behind the cut only tokens that this model scores best
    unlikely    behind the cut only those that it scores worst
    between     where one of the two moved scores, a part of it: a third outcome is no choice of two

Made where the script looked at tokens of the stream, as the hooks saw, other than to count them.
Guarantees: runs that are compared have the same noise; at most `MOST_BETWEEN` runs beyond the two,
and a repeat where something moved. Does not cover: judging (`checks/fitted`).
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.arrays import Tokens
from harness.checks.cut import Cut, holds
from harness.checks.fitted import MOST_CHOICES, Fitted, fitted
from harness.checks.future import compare
from harness.experiments.altered import by_score, only_few
from harness.experiments.evidence import Evidence
from harness.experiments.run_name import RunKind, RunName
from harness.experiments.runner import Driver, Runner, Runs
from harness.protocol.job import Loudness
from harness.protocol.schema import EventKind
from harness.streams.drawn import SourceStream
from harness.trace.scored_positions import ScoredPass
from harness.trace.script_run import ScriptRun

FEW = 4  # ids of such a future
MOST_BETWEEN = 2  # runs that look for a third outcome
ITERATIONS = 40  # training steps, so that there are states of the model to choose from
LOOKED = 32  # tokens of the stream that were scored, and not for the number
BASE, REPEAT = RunName(RunKind.NOISY), RunName(RunKind.NOISY, 2)


@dataclass(frozen=True)
class OtherFutures:
    """What the runs need of the battery."""

    driver: Driver
    evidence: Evidence
    seed: int
    runner: Runner

    def decide(self) -> None:
        """Only of a base run whose headline was rebuilt and that was cut."""
        base, cut = self.evidence.base, self.evidence.cut
        if cut is None or base.scored is None or not looked_ahead(base):
            return
        self.runner.make(self._as(BASE, base.source))
        noisy = self._scored(BASE)
        if noisy is None or not holds(noisy, cut):
            return
        ids = by_score(base.source, noisy)
        kinds = {RunKind.LIKELY: ids[:FEW], RunKind.UNLIKELY: ids[-FEW:]}
        likely, unlikely = (
            self._future(RunName(kind), cut.changed, few) for kind, few in kinds.items()
        )
        self.runner.make({**likely, **unlikely})
        mover = next((kind for kind in kinds if self._moved(RunName(kind))), None)
        if mover is not None:
            self.runner.make(self._as(REPEAT, base.source))
            if self._scored(REPEAT) is None:
                return
            self._look_between(cut, kinds[mover])
        self.evidence.fitted = self._fitted()

    def _look_between(self, cut: Cut, few: Tokens) -> None:
        """Halves the share of such tokens between what moves scores and what does not."""
        order = np.random.default_rng([self.seed, 0xB37]).permutation(cut.changed)
        still, moving = 0.0, 1.0
        for number in range(1, MOST_BETWEEN + 1):
            found = self._fitted()
            if found is None or found.outcomes != MOST_CHOICES:
                return
            name, share = RunName(RunKind.BETWEEN, number), (still + moving) / 2
            part = np.sort(order[: int(share * len(order))])
            self.runner.make(self._future(name, part, few))
            still, moving = (still, share) if self._moved(name) else (share, moving)

    def _future(self, name: RunName, positions: Tokens, few: Tokens) -> Runs:
        stream = only_few(self.evidence.base.source, positions, few, self.seed)
        return self._as(name, stream)

    def _as(self, name: RunName, stream: SourceStream) -> Runs:
        louder = Loudness(self.seed)
        run = partial(self.driver.run, name, stream, iterations=ITERATIONS, louder=louder)
        return {name: run}

    def _moved(self, name: RunName) -> bool:
        scored = self._scored(name)
        found = None if scored is None else self._fitted([scored])
        return found is not None and bool(len(found.moved))

    def _scored(self, name: RunName) -> ScoredPass | None:
        run = self.evidence.get(name.kind, name.number)
        return None if run is None else run.scored

    def _fitted(self, only: list[ScoredPass] | None = None) -> Fitted | None:
        """Of all of those runs so far, or of one."""
        base, cut = self._scored(BASE), self.evidence.cut
        if base is None or cut is None:
            return None
        again = self._scored(REPEAT) or base  # what moved nothing needs no repeat
        names = [RunName(RunKind.LIKELY), RunName(RunKind.UNLIKELY)]
        names += [RunName(RunKind.BETWEEN, number) for number in range(1, MOST_BETWEEN + 1)]
        scores = only or [scored for name in names if (scored := self._scored(name)) is not None]
        changes = [compare(base, [again], [(self.seed, s)], cut) for s in scores]
        return fitted(base, scores, changes, cut)


def looked_ahead(run: ScriptRun) -> bool:
    """Tokens of the stream were scored in forwards that the number does not come from, or nobody
    can tell of which forwards it does.
    """
    scored, capture = run.scored, run.capture
    if scored is None or scored.inferred:
        return True
    losses = capture.events(EventKind.LOSS)
    others = losses[~np.isin(losses, scored.event) & (losses < scored.event.max())]
    return bool(capture.tokens[others].sum() >= LOOKED)
