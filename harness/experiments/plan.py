"""Which runs a battery makes, cheapest first, and when it stops.

    base       a stream that mixes the laws by document
    repeat     the same again: are two runs bit-identical?
    flip 1     tokens changed that are scored after the cut; flip 2 repeats a move, another seed
    training   the validation stream given as the training shards: what would training have shown?
    adaptation each chunk followed by its own copy: what do the script's own updates save?
    past       tokens changed that are scored first: do updates reach scores that come later?
    band 1-3   where two runs were not bit-identical: five make a band
    long words, letters   where no captured score explains a claim: is it a mixture over bytes?
    two pieces where scores are mixed outside of a softmax: can two tokens both be likely?
    asked      scores asked again, for other tokens (`ask_again`)
    beginnings where `past` did not reach far: the copies behind other beginnings of their documents

`--quick` makes the base run alone; `--all` makes every run, the default stops when a violation is
proved. Guarantees: no run starts that the time left cannot hold; what was run stays evidence; what
can prove comes before the last control of power (#2041 had no time left for its proof).
"""

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

import numpy as np

from harness.arrays import Tokens
from harness.checks.byte_spread import piece_laws, unexplained
from harness.checks.future import Cut, FlipResult, choose_cut, compare, unless_chosen
from harness.checks.mass_requery import Asked
from harness.checks.power import carried, most_moved
from harness.checks.source import source_test
from harness.checks.status import Status
from harness.checks.two_tokens import (
    EXCHANGED,
    ITERATIONS,
    Pair,
    beaten,
    exchanged,
    pair_law,
    read_pair,
)
from harness.experiments.requery import Asking
from harness.protocol.question import Question
from harness.streams.controls import adaptation_control, other_beginnings, training_control
from harness.streams.distributions import Law
from harness.streams.drawn import LawStream
from harness.streams.perturb import redraw
from harness.trace.printed_scores import Printed
from harness.trace.script_run import ScriptRun

SLACK = 1.5  # a run may take so many times what the base run took


class Effort(StrEnum):
    """How much is run."""

    QUICK = "quick"
    DEFAULT = "default"
    ALL = "all"


class Driver(Protocol):
    """Runs the script on streams of ours, always in the same configuration."""

    def run(
        self,
        name: str,
        law: LawStream,
        training: Tokens | None = None,
        questions: tuple[Question, ...] = (),
    ) -> ScriptRun:
        """One run; `training`: tokens for the training shards instead of drawn ones; `questions`:
        scores that are asked again, behind which it ends.
        """

    def run_on(
        self, law: Law, name: str = "", stream: LawStream | None = None, iterations: int = 0
    ) -> ScriptRun:
        """A run on one law alone, which a training shard is drawn from as well; `stream`: another
        one than is drawn; `iterations`: training steps, where the script can be told.
        """

    def longest(self, pattern: re.Pattern[str], most: int) -> Tokens:
        """Up to `most` ordinary ids whose whole piece fits, the longest pieces first."""

    @property
    def trains(self) -> bool:
        """Whether it is given training shards."""

    @property
    def can_ask(self) -> bool:
        """Whether a score can be asked again."""

    @property
    def alphabet(self) -> int:
        """Tokens that there are."""

    @property
    def table_entries(self) -> int | None:
        """Of the smallest table that the stream fills, where it is known."""

    @property
    def chunk_tokens(self) -> int:
        """The largest chunk or context of the configuration."""


@dataclass
class Evidence:
    """What the runs of a battery left."""

    base: ScriptRun
    runs: dict[str, ScriptRun] = field(default_factory=dict)
    reach: int = 0  # tokens that a context may span: further back, only updates can carry
    cut: Cut | None = None
    flip: FlipResult | None = None
    sums: Sequence[Asked] = ()  # over the alphabet, at some positions
    pair: Pair | None = None  # two tokens behind one prefix
    trains: bool = True  # it is given training shards
    table_entries: int | None = None  # of the smallest table that the stream fills
    skipped: dict[str, str] = field(default_factory=dict)  # run -> why it was not made
    declared: Collection[str] = ()  # kinds of the numbers that submission.json names
    unexplained: Sequence[Printed] = ()  # claims that no captured scores explain

    def get(self, name: str) -> ScriptRun | None:
        """A run that was made and came to its end."""
        run = self.runs.get(name)
        return run if run is not None and run.finished else None

    @property
    def flips(self) -> dict[int, ScriptRun]:
        """By number, those that were made and came to their end."""
        return {k: run for k in (1, 2) if (run := self.get(f"flip {k}")) is not None}


class Battery:
    """The runs after the base run."""

    def __init__(
        self,
        driver: Driver,
        effort: Effort,
        seed: int,
        deadline: float,
        jobs: int = 1,
        declared: Collection[str] = (),  # kinds of the numbers that submission.json names
    ) -> None:
        self._driver = driver
        self._effort = effort
        self._seed = seed
        self._deadline = deadline  # time.monotonic()
        self._jobs = jobs
        self._declared = declared

    def run(self, base: ScriptRun) -> Evidence:
        """Every run that the effort and the time left allow."""
        evidence = Evidence(base, {base.name: base}, self._driver.chunk_tokens)
        evidence.declared = self._declared
        evidence.trains = self._driver.trains
        evidence.table_entries = self._driver.table_entries
        if self._effort is Effort.QUICK:
            return evidence
        if base.counted is not None and base.finished:
            evidence.cut = choose_cut(base.counted, base.law.starts)
        if base.finished:
            evidence.unexplained = unexplained(base, self._declared)
        self._make(evidence, self._first_round(evidence))
        self._make(evidence, self._on_pieces(evidence))
        self._judge_flip(evidence)
        self._make(evidence, self._second_round(evidence))
        self._judge_flip(evidence)
        if base.counted is not None and base.finished and not base.softmax_width:
            self._two_pieces(evidence)
            self._ask_again(evidence)
        self._make(evidence, self._third_round(evidence))
        return evidence

    def _first_round(self, evidence: Evidence) -> Mapping[str, Callable[[], ScriptRun]]:
        base, run = evidence.base, self._driver.run
        if evidence.cut is None:
            evidence.skipped["repeat, flips"] = "the headline of the base run was not rebuilt"
            return self._training_control(base)
        return {
            "repeat": lambda: run("repeat", base.law),
            "flip 1": lambda: run("flip 1", self._flipped(evidence, 1)),
            **self._training_control(base),
        }

    def _training_control(self, base: ScriptRun) -> Mapping[str, Callable[[], ScriptRun]]:
        if not self._driver.trains:
            return {}
        return {"training": lambda: self._driver.run("training", base.law, self._trained(base))}

    def _on_pieces(self, evidence: Evidence) -> Mapping[str, Callable[[], ScriptRun]]:
        if not evidence.unexplained:
            return {}
        laws = piece_laws(self._driver.longest)
        if not laws:
            evidence.skipped["long words, letters"] = "the vocabulary has too few of them"
        return {law.name: lambda law=law: self._driver.run_on(law) for law in laws}  # type: ignore[misc]

    def _second_round(self, evidence: Evidence) -> Mapping[str, Callable[[], ScriptRun]]:
        run = self._driver.run
        more: dict[str, Callable[[], ScriptRun]] = {}
        if evidence.flip is not None:
            if evidence.flip.needs_second_seed or self._effort is Effort.ALL:
                more["flip 2"] = lambda: run("flip 2", self._flipped(evidence, 2))
            if evidence.flip.threshold_nats is None:
                for k in (1, 2, 3):
                    more[f"band {k}"] = lambda k=k: run(f"band {k}", evidence.base.law)  # type: ignore[misc]
                more["flip 2"] = lambda: run("flip 2", self._flipped(evidence, 2))
        if evidence.cut is not None and (not more or self._effort is Effort.ALL):
            early = first_tokens(evidence.cut)
            if evidence.base.adapts or self._effort is Effort.ALL:
                more["past"] = lambda: run("past", self._changed(evidence, early))
                more["adaptation"] = lambda: run("adaptation", self._copied(evidence.base.law))
        return more

    def _third_round(self, evidence: Evidence) -> Mapping[str, Callable[[], ScriptRun]]:
        past, copied = evidence.get("past"), evidence.get("adaptation")
        if not evidence.base.adapts or past is None or copied is None:
            return {}
        if most_moved(carried(evidence.base, past, evidence.reach)):
            return {}
        law = other_beginnings(copied.law, self._driver.chunk_tokens, self._seed)
        return {"beginnings": lambda: self._driver.run("beginnings", law)}

    def _make(
        self,
        evidence: Evidence,
        wanted: Mapping[str, Callable[[], ScriptRun]],
        more_s: float = 0.0,  # than the base run took
    ) -> None:
        """Makes the runs, `jobs` at a time, as long as there is time."""
        expected_s = SLACK * evidence.base.outcome.wall_s + more_s

        def make(name: str) -> ScriptRun | None:
            if time.monotonic() + expected_s > self._deadline:
                evidence.skipped[name] = "no time was left"
                return None
            return wanted[name]()

        with ThreadPoolExecutor(self._jobs) as pool:
            work: dict[str, Future[ScriptRun | None]] = {n: pool.submit(make, n) for n in wanted}
            for name, future in work.items():
                made = future.result()
                if made is not None:
                    evidence.runs[name] = made

    def _judge_flip(self, evidence: Evidence) -> None:
        base, cut = evidence.base.counted, evidence.cut
        names = ("repeat", "band 1", "band 2", "band 3")
        repeats = [r.counted for n in names if (r := evidence.get(n)) and r.counted]
        flips = [(self._flip_seed(k), r.counted) for k, r in evidence.flips.items() if r.counted]
        if base is not None and cut is not None and repeats and flips:
            found = compare(base, repeats, flips, cut)
            evidence.flip = found if refuted(evidence.base) else unless_chosen(found)

    def _two_pieces(self, evidence: Evidence) -> None:
        """Where nothing was proved yet: one run, and a second one where that claims too little."""
        law = pair_law(self._driver.longest)
        if (refuted(evidence.base) or moved(evidence)) and self._effort is not Effort.ALL:
            return
        if law is None or not self._driver.can_ask:  # elsewhere runs are seldom bit-identical
            evidence.skipped["two pieces"] = "no such pieces, or no single process on the CPU"
            return
        longer_s = evidence.base.outcome.wall_s  # twelve steps for three
        run = self._driver.run_on
        self._make(evidence, {law.name: lambda: run(law, iterations=ITERATIONS)}, longer_s)
        one = evidence.get(law.name)
        if one is None or not beaten(one, evidence.base):
            return
        if (found := exchanged(one)) is None:
            evidence.pair = Pair("no token was counted once")
            return
        position, stream = found
        again = {EXCHANGED: lambda: run(law, EXCHANGED, stream, ITERATIONS)}
        self._make(evidence, again, longer_s)
        evidence.pair = read_pair(one, evidence.get(EXCHANGED), position)

    def _ask_again(self, evidence: Evidence) -> None:
        asking = Asking(
            self._driver, evidence, self._seed, lambda wanted, s: self._make(evidence, wanted, s)
        )
        if not self._driver.can_ask:
            evidence.skipped["asked"] = "only a single process on the CPU can be copied"
        elif refuted(evidence.base) or moved(evidence):
            asking.decide()
        elif self._effort is Effort.ALL:
            asking.exclude()
        else:
            evidence.skipped["asked"] = "nothing was refuted; --all asks for every token"

    def _flip_seed(self, k: int) -> int:
        return self._seed + k

    def _flipped(self, evidence: Evidence, k: int) -> LawStream:
        assert evidence.cut is not None
        return self._changed(evidence, evidence.cut.flipped, k)

    def _changed(self, evidence: Evidence, positions: Tokens, k: int = 0) -> LawStream:
        law = evidence.base.law
        return replace(law, tokens=redraw(law, positions, self._flip_seed(k)))

    def _trained(self, base: ScriptRun) -> Tokens:
        return training_control(base.law, len(base.law.tokens))

    def _copied(self, law: LawStream) -> LawStream:
        """As long as the base stream, so that the same configuration fits."""
        chunk = self._driver.chunk_tokens
        pairs = max(1, len(law.tokens) // (2 * chunk) // 4)
        bos = int(law.tokens[law.starts[0]])
        stream = adaptation_control(len(law.tokens), chunk, pairs, law.ordinary, bos, self._seed)
        return _padded(stream, len(law.tokens))


def first_tokens(cut: Cut) -> Tokens:
    """(k,) the earlier half of what was scored before the cut."""
    return np.sort(cut.compared)[: len(cut.compared) // 2]


def _padded(stream: LawStream, n_tokens: int) -> LawStream:
    """Uniform tokens behind the last document, marked as not drawn."""
    left = n_tokens - len(stream.tokens)
    rng = np.random.default_rng([stream.seed, 0x7A11])
    tail = rng.choice(stream.ordinary, size=left)
    tail[-1:] = stream.ordinary[-1]  # as every stream ends
    return replace(
        stream,
        tokens=np.concatenate([stream.tokens, tail]),
        log_q=np.concatenate([stream.log_q, np.full(left, -np.log(len(stream.ordinary)))]),
        drawn=np.concatenate([stream.drawn, np.zeros(left, bool)]),
        law_of=np.concatenate([stream.law_of, np.zeros(left, np.int8)]),
    )


def refuted(base: ScriptRun) -> bool:
    """The headline beats its source."""
    if base.headline is None:
        return False
    return source_test(base.headline, base.counted, base.law).refuted


def moved(evidence: Evidence) -> bool:
    """The flip proved that scores know the future."""
    return evidence.flip is not None and evidence.flip.status is Status.FAIL
