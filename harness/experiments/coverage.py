"""Exchanges tokens that seem never to count: one set at a time, until one is proved to.

Guarantees: no run is made where the base run's repeat printed another number, or where a size that
we chose may leave tokens out. Does not cover: what it means (`checks/coverage`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count

import numpy as np

from harness.arrays import Ints
from harness.checks.coverage import (
    FEWEST,
    MOST_DRAWS,
    Exchange,
    check_coverage,
    few_of,
    gaps_to_exchange,
    parts_to_exchange,
    read_exchange,
)
from harness.checks.status import Finding
from harness.experiments.altered import exchanged
from harness.experiments.experiment import Experiment
from harness.experiments.run_name import RunKind, RunName

FIRST = RunName(RunKind.EXCHANGED, 1)


@dataclass(frozen=True)
class Coverage(Experiment):
    """Exchanges tokens that seem never to count."""

    numbers: Iterator[int] = field(default_factory=partial(count, 1), init=False)  # of runs

    def decide(self) -> None:
        """Fills `evidence.uncounted`."""
        if not self.evidence.repeats:
            return
        if cutting := self.driver.may_cut:
            why = f"{', '.join(cutting)}, which were made small, may leave tokens out"
            self.evidence.skipped[FIRST] = why
            return
        controls = self._controls()
        for what, places in self._sets().items():
            draws, found = self._draws(what, places, controls)
            if found is not None:
                self.evidence.uncounted = found
                return
            controls += [one for one in draws if not one.same]

    def _sets(self) -> dict[str, Ints]:
        base, tail = self.evidence.base, 2 * self.driver.chunk_tokens
        if base.scored is None:
            return parts_to_exchange(base.source, tail)
        what = "those that no recorded score counts"
        alike = self.evidence.all_of(RunKind.UNIFORM).values()
        longer = [(run.scored, run.source) for run in alike if run.scored is not None]
        places = gaps_to_exchange(base.scored, base.source, tail, longer)
        if len(places) < FEWEST:
            return {}
        reach = self.driver.chunk_tokens // 2
        few = {
            f"a few of {what}": few_of(places, reach, self.seed),
            f"a few others of {what}": few_of(places, reach, self.seed + 1),
        }
        return {what: places} | few

    def _draws(
        self, what: str, places: Ints, controls: list[Exchange]
    ) -> tuple[list[Exchange], Finding | None]:
        """As many as the digits need."""
        draws: list[Exchange] = []
        base = self.evidence.base
        for _ in range(MOST_DRAWS):
            one = self._exchange(what, places)
            if one is None:
                break
            draws.append(one)
            if not one.same:
                break
            if found := check_coverage(draws, controls or self._elsewhere(places), base.headline):
                return draws, found
        return draws, None

    def _exchange(self, what: str, places: Ints) -> Exchange | None:
        name, base = RunName(RunKind.EXCHANGED, next(self.numbers)), self.evidence.base
        stream = exchanged(base.source, places, self.driver.byte_kinds, self.seed + name.number)
        self.runner.make({name: partial(self.driver.run, name, stream)})
        return read_exchange(what, base, self.evidence.get(name.kind, name.number))

    def _controls(self) -> list[Exchange]:
        """Changed futures moved the number, as far as they changed what counts."""
        base = self.evidence.base
        runs = self.evidence.all_of(RunKind.FUTURE).values()
        found = [read_exchange("later tokens", base, run) for run in runs]
        return [one for one in found if one is not None and not one.same]

    def _elsewhere(self, places: Ints) -> list[Exchange]:
        """Tokens outside the set, where no other run has moved the number yet."""
        rest = parts_to_exchange(self.evidence.base.source, 0).values()
        others = [np.setdiff1d(part, places) for part in rest]
        one = self._exchange("others", max(others, key=len))
        return [one] if one is not None and not one.same else []
