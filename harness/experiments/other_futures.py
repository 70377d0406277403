"""Futures of other kinds: does what was scored before depend on what kind of tokens come later?

    noisy       the base run with noise in its weights and more training steps: between a confident
                model and the best of many states of it a choice is seldom, between these it is not
    likely      behind the cut only tokens that this model scores best
    unlikely    behind the cut only those that it scores worst
    between     where neither moved scores, tokens that another state of the model, or another
                temperature, than the best was seen to score better; where one moved scores, a part
                of it, and other tokens that score poorly: a third outcome is no choice of two

Made where the script looked at tokens of the stream, as the hooks saw, other than to count them
(a longer training that comes to them is such a look, too):
behind the first scores where it looked before all of them, which may have been at the beginning
alone; behind the battery's cut where it looked between them.
Guarantees: runs that are compared have the same noise; at most `MOST_BETWEEN` runs beyond the two,
and a repeat where something moved. Does not cover: judging (`checks/fitted`).
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from harness.arrays import Ints, Tokens
from harness.checks.cut import Cut, early_cut, holds
from harness.checks.fitted import MOST_CHOICES, Fitted, fitted
from harness.checks.future import compare
from harness.checks.looked import ids_of_others, looks
from harness.checks.trained_ahead import trained_ahead
from harness.experiments.altered import by_score, only_few
from harness.experiments.evidence import Evidence
from harness.experiments.experiment import Experiment
from harness.experiments.run_name import RunKind, RunName
from harness.experiments.runner import Driver, Runner, Runs
from harness.protocol.job import Loudness
from harness.protocol.schema import EventKind
from harness.streams.drawn import SourceStream
from harness.trace.scored_positions import ScoredPass
from harness.trace.script_run import ScriptRun

FEW = 4  # ids of such a future
POOR = (0.1, 0.25, 0.4)  # of the ids score worse than the first of these
MOST_BETWEEN = 1 + len(POOR)  # runs that look for a third outcome
MOST_PREFERRED = 3  # runs on tokens that what was not chosen scores better
ITERATIONS = 40  # training steps, so that there are states of the model to choose from
LOOKED = 32  # tokens of the stream that were scored, and not for the number
BASE, REPEAT = RunName(RunKind.NOISY), RunName(RunKind.NOISY, 2)


@dataclass(frozen=True)
class OtherFutures(Experiment):
    """Futures of other kinds, behind each cut that what was looked at asks for."""

    def decide(self) -> None:
        """Only of a base run whose headline was rebuilt and that was cut."""
        base, cut = self.evidence.base, self.evidence.cut
        if cut is None or base.scored is None or not (looked_ahead(base) or self._trained_ahead):
            return
        self.runner.make(as_louder(self.driver, BASE, base.source, self.seed))
        early = early_cut(base.scored, base.source.starts)
        wanted = [early, cut] if early is not None else [cut]
        if looked_between(base):
            wanted.reverse()
        elif early is not None and not base.scored.inferred:
            wanted = [early]  # nothing was looked at but before all scores
        for number, one in enumerate(wanted, 1):
            found = BehindCut(*self._parts, one, number).decide()
            if found is not None and (self.evidence.fitted is None or len(found.moved)):
                self.evidence.fitted = found
            if found is not None and (found.computed or found.by_parts):
                return

    @property
    def _trained_ahead(self) -> bool:
        """In a run with as many training steps."""
        longer = self.evidence.all_of(RunKind.UNIFORM).values()
        return any(trained_ahead(run) is not None for run in longer)

    @property
    def _parts(self) -> tuple[Driver, Evidence, int, Runner]:
        return self.driver, self.evidence, self.seed, self.runner


@dataclass(frozen=True)
class BehindCut(Experiment):
    """The futures behind one cut."""

    cut: Cut
    number: int  # of the cut, from 1

    def decide(self) -> Fitted | None:
        """None where they cannot be compared."""
        noisy = self._scored(BASE)
        if noisy is None or not holds(noisy, self.cut):
            return None
        ids = by_score(self.evidence.base.source, noisy)
        kinds = {RunKind.LIKELY: ids[:FEW], RunKind.UNLIKELY: ids[-FEW:]}
        likely, unlikely = (
            self._future(RunName(kind, self.number), self.cut.changed, few)
            for kind, few in kinds.items()
        )
        self.runner.make({**likely, **unlikely})
        mover = next((kind for kind in kinds if self._moved(RunName(kind, self.number))), None)
        few = self._preferred(noisy) if mover is None else kinds[mover]
        if few is not None:
            self._repeat()
            self._look_between(self.cut.changed, few, ids)
        return self._sure(self._fitted())

    def _preferred(self, noisy: ScoredPass) -> Tokens | None:
        """Tokens by which what was scored best before the number is no more the best of them; None
        where they, too, moved nothing.
        """
        base, run = self.evidence.base.source, self.evidence.get(BASE.kind, BASE.number)
        if run is None:
            return None
        passes, moved = looks(run.capture, noisy), None
        others = ids_of_others(passes, base.tokens, base.ordinary, FEW, MOST_PREFERRED)
        for name, few in zip(self._preferring, others, strict=False):
            self.runner.make(self._future(name, self.cut.changed, few))
            moved = few if moved is None and self._moved(name) else moved
        return moved

    def _repeat(self) -> None:
        if self._scored(REPEAT) is None:
            self.runner.make(as_louder(self.driver, REPEAT, self.evidence.base.source, self.seed))

    @property
    def _between(self) -> list[RunName]:
        return self._more[:MOST_BETWEEN]

    @property
    def _preferring(self) -> list[RunName]:
        return self._more[MOST_BETWEEN:]

    @property
    def _more(self) -> list[RunName]:
        each = MOST_BETWEEN + MOST_PREFERRED
        first = 1 + (self.number - 1) * each
        return [RunName(RunKind.BETWEEN, n) for n in range(first, first + each)]

    @property
    def _futures(self) -> list[RunName]:
        two = [RunName(kind, self.number) for kind in (RunKind.LIKELY, RunKind.UNLIKELY)]
        return two + self._more

    def _sure(self, found: Fitted | None) -> Fitted | None:
        """Without a repeat nothing is proved, nor by runs that took other numbers of steps, which a
        clock may have ended.
        """
        base = self.evidence.get(BASE.kind, BASE.number)
        if found is None or base is None or not len(found.moved):
            return found
        runs = [self.evidence.get(name.kind, name.number) for name in self._futures]
        alike = [run for run in runs if run is not None and _steps(run) == _steps(base)]
        scores: list[ScoredPass] = [run.scored for run in alike if run.scored is not None]
        sure = self._fitted(scores) if scores and self._scored(REPEAT) is not None else None
        if sure is not None and len(sure.moved):
            return sure
        return replace(found, outcomes=MOST_CHOICES, movers=0)

    def _look_between(self, changed: Tokens, few: Tokens, ids: Tokens) -> None:
        """Half of what moved scores; then tokens that score poorly, though not worst: of many
        states of a model others are the best for them.
        """
        half = np.random.default_rng([self.seed, 0xB37]).permutation(changed)[: len(changed) // 2]
        poor = (ids[-int(share * len(ids)) :][:FEW] for share in POOR)
        parts = [(np.sort(half), few), *((changed, some) for some in poor)]
        for name, (positions, some) in zip(self._between, parts, strict=True):
            found = self._fitted()
            if found is None or found.outcomes != MOST_CHOICES or self._scored(REPEAT) is None:
                return
            self.runner.make(self._future(name, positions, some))

    def _future(self, name: RunName, positions: Tokens, few: Tokens) -> Runs:
        stream = only_few(self.evidence.base.source, positions, few, self.seed)
        return as_louder(self.driver, name, stream, self.seed)

    def _moved(self, name: RunName) -> bool:
        scored = self._scored(name)
        found = None if scored is None else self._fitted([scored])
        return found is not None and bool(len(found.moved))

    def _scored(self, name: RunName) -> ScoredPass | None:
        run = self.evidence.get(name.kind, name.number)
        return None if run is None else run.scored

    def _fitted(self, only: list[ScoredPass] | None = None) -> Fitted | None:
        """Of all of those runs so far, or of one."""
        base = self._scored(BASE)
        if base is None:
            return None
        again = self._scored(REPEAT) or base  # what moved nothing needs no repeat
        known = (self._scored(name) for name in self._futures)
        scores = only or [scored for scored in known if scored is not None]
        changes = [compare(base, [again], [(self.seed, s)], self.cut) for s in scores]
        return fitted(base, scores, changes, self.cut)


def as_louder(driver: Driver, name: RunName, stream: SourceStream, seed: int) -> Runs:
    """A run on the stream, with the noise and the training steps that all of these have."""
    run = partial(driver.run, name, stream, iterations=ITERATIONS, louder=Loudness(seed))
    return {name: run}


def _steps(run: ScriptRun) -> int:
    return len(run.capture.events(EventKind.STEP))


def looked_ahead(run: ScriptRun) -> bool:
    """Tokens of the stream were scored in forwards that the number does not come from, or nobody
    can tell of which forwards it does.
    """
    scored, capture = run.scored, run.capture
    if scored is None or scored.inferred:
        return True
    others = _other_losses(run, scored)
    return bool(capture.tokens[others].sum() >= LOOKED)


def looked_between(run: ScriptRun) -> bool:
    """Some of them between scores that count, as a choice for each part does."""
    scored = run.scored
    if scored is None or scored.inferred:
        return False
    others = _other_losses(run, scored)
    return bool((others > scored.event.min()).any())


def _other_losses(run: ScriptRun, scored: ScoredPass) -> Ints:
    """Events before the last score, of losses that the number does not come from."""
    losses = run.capture.events(EventKind.LOSS)
    others: Ints = losses[~np.isin(losses, scored.event) & (losses < scored.event.max())]
    return others
