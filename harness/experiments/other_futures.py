"""Futures of other kinds: does what was scored before depend on what kind of tokens come later?

    likely      behind the cut only tokens that the model scores best
    unlikely    behind the cut only those that it scores worst
    between     where one of the two moved scores, a part of it: a third outcome is no choice of two

Guarantees: at most `MOST_BETWEEN` runs beyond the two. Does not cover: judging (`checks/fitted`).
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.arrays import Tokens
from harness.checks.fitted import MOST_CHOICES, Fitted, fitted
from harness.checks.future import compare
from harness.experiments.altered import by_score, only_few
from harness.experiments.evidence import Evidence
from harness.experiments.run_name import RunKind, RunName
from harness.experiments.runner import Driver, Runner, Runs
from harness.trace.scored_positions import ScoredPass

FEW = 4  # ids of such a future
MOST_BETWEEN = 2  # runs that look for a third outcome


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
        if cut is None or base.scored is None:
            return
        ids = by_score(base.source, base.scored)
        kinds = {RunKind.LIKELY: ids[:FEW], RunKind.UNLIKELY: ids[-FEW:]}
        likely, unlikely = (
            self._future(RunName(kind), cut.changed, few) for kind, few in kinds.items()
        )
        self.runner.make({**likely, **unlikely})
        self.evidence.fitted = self._fitted()
        mover = next((kind for kind in kinds if self._moved(RunName(kind))), None)
        if mover is not None:
            self._look_between(cut.changed, kinds[mover])

    def _look_between(self, changed: Tokens, few: Tokens) -> None:
        """Halves the share of such tokens between what moves scores and what does not."""
        order = np.random.default_rng([self.seed, 0xB37]).permutation(changed)
        still, moving = 0.0, 1.0
        for number in range(1, MOST_BETWEEN + 1):
            found = self.evidence.fitted
            if found is None or found.outcomes != MOST_CHOICES:
                return
            name, share = RunName(RunKind.BETWEEN, number), (still + moving) / 2
            part = np.sort(order[: int(share * len(order))])
            self.runner.make(self._future(name, part, few))
            self.evidence.fitted = self._fitted()
            still, moving = (still, share) if self._moved(name) else (share, moving)

    def _future(self, name: RunName, positions: Tokens, few: Tokens) -> Runs:
        stream = only_few(self.evidence.base.source, positions, few, self.seed)
        return {name: partial(self.driver.run, name, stream)}

    def _moved(self, name: RunName) -> bool:
        scored = self._scored(name)
        found = None if scored is None else self._fitted([scored])
        return found is not None and bool(len(found.moved))

    def _scored(self, name: RunName) -> ScoredPass | None:
        run = self.evidence.get(name.kind, name.number)
        return None if run is None else run.scored

    def _fitted(self, only: list[ScoredPass] | None = None) -> Fitted | None:
        """Of all of those runs so far, or of one."""
        evidence, base = self.evidence, self.evidence.base.scored
        again = evidence.get(RunKind.REPEAT)
        if base is None or evidence.cut is None or again is None or again.scored is None:
            return None
        names = [RunName(RunKind.LIKELY), RunName(RunKind.UNLIKELY)]
        names += [RunName(RunKind.BETWEEN, number) for number in range(1, MOST_BETWEEN + 1)]
        scores = only or [scored for name in names if (scored := self._scored(name)) is not None]
        changes = [compare(base, [again.scored], [(self.seed, s)], evidence.cut) for s in scores]
        return fitted(base, scores, changes)
