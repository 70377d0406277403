"""Re-queries: recorded scores, for other tokens, where they are no plain softmax outputs.

    sample    three positions, some tokens each: enough for a lie of the usual size
    earlier   the same from an earlier event on, where a confirmation run contradicted a copy
    longer    one position that seems to weigh more than one, for as long as there is time; where
              the sample bounds nothing, all positions for a few seconds each

Once the source or another future proved something, this tells mass from order and causality; where
nothing was proved, a sample of the alphabet bounds the mass, and `--all` pays for the whole of it.
A copy takes some 20 ms.
Guarantees: each round is followed by a run of the whole script for one of its answers; a mass that
is to prove by itself, by several.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from harness.checks.mass_estimate import ENOUGH, PROVED, MassEstimate
from harness.checks.mass_questions import Asking, questions_for
from harness.checks.mass_requery import (
    confirmed,
    read_sums,
    repeated,
    stale,
    to_confirm,
    to_repeat,
)
from harness.experiments.experiment import Experiment
from harness.experiments.run_name import RunKind, RunName
from harness.streams.perturb import with_token

SAMPLE = 64  # tokens a position: those that may be known there, then others at random by turns
SHORT_S = 8.0  # a position
WHOLE_S = 90.0  # a position, for an alphabet of 1,024
HEAVY = 1.2  # an estimate's lower end beyond which it is worth the time to prove it
FIRST, EARLIER, LONGER = 1, 2, 3  # numbers of the rounds


@dataclass(frozen=True)
class Requery(Experiment):
    """Rounds of questions."""

    def decide(self) -> None:
        """Mass or something else: as short as it can be."""
        early = self._sample()
        sums = self._speaking
        most = max(sums, key=lambda one: one.estimate, default=None)
        # An honest mixture's is one, but for noise.
        within = most is None or most.estimate < ENOUGH
        if most is not None and not within and not any(one.mass_above_one for one in sums):
            self._round(LONGER, WHOLE_S, early, only=[most.position])

    def bound(self) -> None:
        """About one, by a sample: what fits into half a minute."""
        early = self._sample()
        sums = self._speaking
        most = max(sums, key=lambda one: one.estimate - 3.0 * one.deviation, default=None)
        if most is None or any(one.mass_above_one for one in sums):
            return
        if most.estimate - 3.0 * most.deviation > HEAVY:
            self._round(LONGER, WHOLE_S, early, only=[most.position])
        elif open_ones := [one.position for one in sums if not one.bounded]:
            self._round(LONGER, SHORT_S * len(sums) / len(open_ones), early, only=open_ones)

    def exclude(self) -> None:
        """Every token, at every position."""
        self._round(FIRST, WHOLE_S)
        if stale(self.evidence.sums):
            self._round(EARLIER, WHOLE_S, early=True)

    def _sample(self) -> bool:
        """Some tokens at each position; whether copies are forked early."""
        self._round(FIRST, SHORT_S, most=SAMPLE)
        early = stale(self.evidence.sums)
        if early:
            self._round(EARLIER, SHORT_S, early, SAMPLE)
        return early

    def make_sure(self) -> None:
        """Whole runs give the answers of the heaviest position again, where others seem heavy."""
        heavy = [one for one in self._speaking if one.mass_above_one or one.seems_above_one]
        most = max(heavy, key=lambda one: one.mass, default=None)
        if most is None or len(heavy) < 2 or not most.mass_above_one or most.mass < PROVED:
            return
        source, runs = self.evidence.base.source, {}
        for number, token in enumerate(to_repeat(most, self.seed).tolist(), start=LONGER + 1):
            name = RunName(RunKind.CONFIRMATION, number)
            runs[name] = partial(self.driver.run, name, with_token(source, most.position, token))
        self.runner.make(runs)
        made = [self.evidence.get(name.kind, name.number) for name in runs]
        again = [run for run in made if run is not None]
        if len(again) == len(runs):
            self._keep([repeated(most, self.evidence.base, again)])

    @property
    def _speaking(self) -> list[MassEstimate]:
        return [one for one in self.evidence.sums if not one.inconclusive and one.agrees]

    def _round(
        self,
        number: int,
        ask_s: float,
        early: bool = False,
        most: int | None = None,  # tokens a position; None: the alphabet
        only: Collection[int] = (),  # positions; none named: all
    ) -> None:
        base, alphabet = self.evidence.base, self.driver.alphabet
        questions = questions_for(base, alphabet, self.seed, Asking(ask_s, most, early))
        questions = tuple(q for q in questions if not only or q.position in only)
        if not questions:
            return
        name = RunName(RunKind.REQUERY, number)
        run = partial(self.driver.run, name, base.source, questions=questions)
        self.runner.make({name: run}, len(questions) * ask_s)
        made = self.evidence.runs.get(name)  # it ends behind its answers, not by itself
        if made is not None:
            self._keep(self._confirmed(read_sums(made, base, alphabet), number))

    def _confirmed(self, sums: list[MassEstimate], number: int) -> list[MassEstimate]:
        """One answer, against a run of the whole script."""
        answer = to_confirm(sums, self.seed)
        if answer is None:
            return sums
        stream = with_token(self.evidence.base.source, *answer)
        name = RunName(RunKind.CONFIRMATION, number)
        self.runner.make({name: partial(self.driver.run, name, stream)})
        confirming = self.evidence.get(RunKind.CONFIRMATION, number)
        return sums if confirming is None else confirmed(sums, confirming)

    def _keep(self, sums: list[MassEstimate]) -> None:
        """Later answers replace earlier ones of the same position."""
        again = {one.position for one in sums}
        kept = [one for one in self.evidence.sums if one.position not in again]
        self.evidence.sums = [*kept, *sums]
