"""The last round of a battery: scores asked again, where they were mixed outside of a softmax.

    asked          three positions, a few seconds each: enough for a lie of the usual size
    asked earlier  the same from an earlier event on, where a whole run contradicted a copy
    asked on       one position that seems to weigh more than one, for as long as there is time

Once the source or the flip proved something, this tells mass from order and causality; where
nothing was proved, only `--all` pays for the whole alphabet, for a pass. A copy takes some 50 ms.
Guarantees: each round is followed by a whole run for one of its answers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.checks.mass_requery import (
    ENOUGH,
    Asked,
    confirmed,
    questions_for,
    read_sums,
    stale,
    to_confirm,
)
from harness.streams.drawn import LawStream
from harness.streams.perturb import with_token
from harness.trace.script_run import ScriptRun

if TYPE_CHECKING:
    from harness.experiments.plan import Driver, Evidence

ASK_S = 8.0  # a position
WHOLE_S = 90.0  # a position, for an alphabet of 1,024

Make = Callable[[Mapping[str, Callable[[], ScriptRun]], float], None]


@dataclass(frozen=True)
class Asking:
    """What a round needs of the battery."""

    driver: "Driver"
    evidence: "Evidence"
    seed: int
    make: Make  # runs, by name, and the seconds that they take beyond the base run

    def decide(self) -> None:
        """Mass or something else: as short as it can be."""
        self._ask("asked", ASK_S)
        early = stale(self.evidence.sums)
        if early:
            self._ask("asked earlier", ASK_S, early=True)
        sums = [asked for asked in self.evidence.sums if not asked.silent and asked.agrees]
        most = max(sums, key=lambda asked: asked.estimate, default=None)
        light = most is None or most.estimate < ENOUGH  # an honest mixture's is one, but for noise
        if most is not None and not light and not any(asked.heavy for asked in sums):
            self._ask("asked on", WHOLE_S, early, most.position)

    def exclude(self) -> None:
        """Every token, at every position."""
        self._ask("asked", WHOLE_S)
        if stale(self.evidence.sums):
            self._ask("asked earlier", WHOLE_S, early=True)

    def _ask(self, name: str, ask_s: float, early: bool = False, only: int | None = None) -> None:
        base, run, alphabet = self.evidence.base, self.driver.run, self.driver.alphabet
        questions = questions_for(base, alphabet, self.seed, ask_s, early)
        questions = tuple(q for q in questions if only in (None, q.position))
        if not questions:
            return
        self.make({name: lambda: run(name, base.law, None, questions)}, len(questions) * ask_s)
        made = self.evidence.runs.get(name)
        if made is not None:
            self._keep(self._confirmed(read_sums(made, base, alphabet), name))

    def _confirmed(self, sums: list[Asked], name: str) -> list[Asked]:
        """One answer, against a run of the whole script."""
        answer = to_confirm(sums, self.seed)
        if answer is None:
            return sums
        law: LawStream = with_token(self.evidence.base.law, *answer)
        whole = f"whole, {name}"
        self.make({whole: lambda: self.driver.run(whole, law)}, 0.0)
        confirming = self.evidence.get(whole)
        return sums if confirming is None else confirmed(sums, confirming)

    def _keep(self, sums: list[Asked]) -> None:
        """Later answers replace earlier ones of the same position."""
        again = {asked.position for asked in sums}
        kept = [asked for asked in self.evidence.sums if asked.position not in again]
        self.evidence.sums = [*kept, *sums]
