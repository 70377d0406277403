"""Runs one submission's script on streams of ours: finds a configuration that it accepts, keeps it,
and stages every run of the battery alike.

Guarantees: all runs of a battery differ in their tokens alone; every rung that was tried is kept
with its outcome. Does not cover: judging.
"""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from audits.switches import Switches
from harness.errors import SubmissionError
from harness.upstream import disk
from harness.upstream.battery.draw import LawStream, draw, schedule
from harness.upstream.battery.laws import Law, Markov, Repeats, Tokens, Uniform
from harness.upstream.battery.runs import ScriptRun, read_run
from harness.upstream.job import Job, Outcome
from harness.upstream.ladder import Rung, first_rung, next_rung
from harness.upstream.pool import Pool
from harness.upstream.shards import StageData
from harness.upstream.sizes import StreamShape
from harness.upstream.stage import build_stage
from harness.upstream.text import reference_tokens
from harness.upstream.vocabulary import BOS, Vocabulary, vocabulary_of

N_TOKENS = 2_049  # 32 sequences of 64 and the token before the first target
TRAIN_TOKENS = 16_384  # a shard; streams wrap round
DOCUMENT_TOKENS = 160  # mean
SHARES = (2, 1, 1)  # of the documents: uniform, repeats, text
LOG_TAIL = 4_000  # characters in which a script's complaint is looked for


@dataclass(frozen=True)
class Limits:
    """What one evaluation may use."""

    device: str = "cpu"
    ranks: int = 1
    run_s: float = 240.0
    deadline: float = float("inf")  # time.monotonic() at which everything ends


@dataclass(frozen=True)
class Attempt:
    """A rung and how it went."""

    rung: Rung
    outcome: Outcome


@dataclass
class ScriptDriver:
    """One submission."""

    switches: Switches
    pool: Pool
    out: Path
    seed: int
    limits: Limits
    tokenizers: Sequence[Path] = ()
    tried: list[Attempt] = field(default_factory=list)
    vocabulary: Vocabulary = field(init=False)
    chosen: Rung = field(init=False)  # the rung of the base run

    def climb(self) -> ScriptRun:
        """The base run: rung after rung until the script prints a number and ends well.

        A run that broke off behind a number is kept for want of a better one. Raises
        SubmissionError with the last complaint when no rung printed any.
        """
        shape = StreamShape(N_TOKENS, 0, N_TOKENS // DOCUMENT_TOKENS, DOCUMENT_TOKENS)
        rung: Rung | None = first_rung(self.switches, shape)
        best: ScriptRun | None = None
        while rung is not None:
            self.vocabulary = vocabulary_of(self.switches, rung.variables(), self.tokenizers)
            shape = replace(shape, vocab_size=self.vocabulary.size)
            rung = rung if self.tried else first_rung(self.switches, shape)
            name = "base" if not self.tried else f"base, rung {len(self.tried) + 1}"
            n_tokens = (N_TOKENS - 1) * rung.stream_factor + 1
            law = drawn(self.vocabulary, self.seed, n_tokens)
            run = self._run(name, law, rung, None)
            self.tried.append(Attempt(rung, run.outcome))
            if run.headline is not None and (best is None or run.finished):
                best, self.chosen = run, rung
            if (best and best.finished) or time.monotonic() > self.limits.deadline:
                break
            complaint = _tail(self.out / name / "output.log")
            tried = [attempt.rung for attempt in self.tried]
            rung = next_rung(self.switches, shape, tried, _cause(run.outcome), complaint)
        if best is None:
            raise SubmissionError(_unrunnable(self.switches, run.outcome, len(self.tried)))
        return replace(best, name="base")

    def run(self, name: str, law: LawStream, training: Tokens | None = None) -> ScriptRun:
        """One more run in the configuration that the base run found."""
        return self._run(name, law, self.chosen, training)

    @property
    def chunk_tokens(self) -> int:
        """Longer than any context of the configuration."""
        return 2 * self.chosen.size.seq_len

    def _run(self, name: str, law: LawStream, rung: Rung, training: Tokens | None) -> ScriptRun:
        out = self.out / name
        with contextlib.suppress(FileNotFoundError):
            disk.remove(out)  # of an earlier evaluation
        out.mkdir(parents=True)
        shards = (training,) if training is not None else _training(self.vocabulary, self.seed)
        data = StageData(law.tokens, shards, self.vocabulary)
        place = out / "stage"
        try:
            stage = build_stage(self.switches, data, rung, place)
            np.save(out / "stream.npy", law.tokens)
            job = Job(
                stage=place.resolve(),
                script=stage.script,
                stream=(out / "stream.npy").resolve(),
                out=out.resolve(),
                environment=stage.variables(),
                patches=stage.attributes(),
                binds=stage.binds,
                arguments=stage.arguments,
                device=self.limits.device,
                ranks=self.limits.ranks,
                time_limit_s=max(1.0, min(self.limits.run_s, self._left_s())),
            )
            outcome = self.pool.run(job)
        finally:
            # What cannot be taken away is no reason to lose the run.
            with contextlib.suppress(OSError):
                disk.remove(place)
        drawn = _training(self.vocabulary, self.seed)
        token_bytes = self.vocabulary.token_bytes(law.tokens)
        return read_run(name, job, outcome, law, token_bytes, drawn)

    def _left_s(self) -> float:
        return self.limits.deadline - time.monotonic()


def drawn(vocabulary: Vocabulary, seed: int, n_tokens: int, split: int = 0) -> LawStream:
    """The mixture of laws by document."""
    laws: list[Law] = [Uniform(), Repeats(), Markov(reference_tokens(vocabulary))]
    plan = schedule(n_tokens, SHARES, DOCUMENT_TOKENS, seed, split)
    ordinary = vocabulary.ordinary
    return draw(laws, plan, ordinary[ordinary != BOS], BOS, seed, split)


@lru_cache(maxsize=2)
def _training(vocabulary: Vocabulary, seed: int) -> tuple[Tokens, ...]:
    """Two shards of the same laws, for every run; nothing shared with the validation stream."""
    return tuple(drawn(vocabulary, seed, TRAIN_TOKENS, split).tokens for split in (1, 2))


def _cause(outcome: Outcome) -> str:
    return outcome.cause or f"{outcome.how}, and nothing that reads as a score was printed"


def _unrunnable(switches: Switches, outcome: Outcome, rungs: int) -> str:
    where = f" ({outcome.where})" if outcome.where else ""
    return (
        f"{switches.target.root / switches.target.entry}: no score was printed on any of {rungs}"
        f" configurations; the last one {outcome.how}: {_cause(outcome)}{where}"
    )


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:] if log.exists() else ""
