"""One question to a predictor, asked again: the position and the sum, or the two futures.

Guarantees: the worker is loaded with the seed, the settings and the stream of the report, and is
asked and taught exactly what it was, up to the question that matters, and no further. Does not
cover predictors that are not repeatable: both numbers are shown, whether they agree or not.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from harness.arrays import Floats, Tokens
from harness.artifacts import resolve_artifact
from harness.checks.source import check_refereed
from harness.checks.status import Status
from harness.observer import Observer
from harness.protocol.confinement import IsolationAsked
from harness.referee.ledger import Ledger
from harness.referee.predictor_run import predictor_worker
from harness.referee.referee import Referee, Rows
from harness.referee.run import Run
from harness.referee.setup import Setup, geometry
from harness.referee.source_run import draw_source, score_source, source_evidence
from harness.replay.recorded import Counterexample, Recorded
from harness.replay.sides import Replayed
from harness.request import Request
from harness.streams.probes import probe_cuts
from harness.streams.stream import validation_stream
from harness.streams.vocabulary import Vocabulary
from harness.streams.windows import Batch
from harness.submission import read_submission
from harness.tolerances import MASS_TOLERANCE
from reference_model.data.corpus import embedded_data
from reference_model.data.folder import DataFolder

AROUND = 4  # tokens that are shown on each side of a cut


class _Reached(Exception):
    """The question that mattered has been answered."""


class _Until(Referee):
    """Ends behind the batch that holds a position; keeps what the futures were answered."""

    until = 0
    answers: tuple[Rows, list[Rows], Batch] | None = None

    def _batch(self, batch: Batch, cuts: dict[int, tuple[str, Tokens, Tokens]]) -> None:
        super()._batch(batch, cuts)
        if self.until in batch.targets:
            raise _Reached

    def _compare(self, batch: Batch, cut: int, kind: str, altered: list[Rows]) -> None:
        if cut == self.until:
            self.answers = self._rows, altered, batch
        super()._compare(batch, cut, kind, altered)


class RefereedReplay:
    """A predictor's evaluation, as far as a counterexample needs it."""

    def __init__(self, recorded: Recorded, request: Request, out: Path) -> None:
        chosen = request.settled()
        data = DataFolder.open(chosen.data) if chosen.data else embedded_data()
        submission = read_submission(chosen.submission)
        self._setup = Setup(
            submission,
            resolve_artifact(submission, data),
            data.tokenizer,
            chosen.device,
            recorded.seed,
            chosen.time_limit_s,
            out,
            Observer(),
            IsolationAsked(chosen.isolation),
        )
        self._vocabulary = Vocabulary.of_tokenizer(data.tokenizer)
        self._text = validation_stream(data, self._vocabulary)

    def replayed(self, counterexample: Counterexample) -> Replayed | None:
        """What comes of it now; None where one question does not show it."""
        numbers = counterexample.numbers
        if "worst_mass" in numbers:
            return self._mass(numbers)
        if "cut" in numbers:
            return self._futures(numbers)
        return self._source(numbers) if counterexample.rule == "SOURCE-1" else None

    def _mass(self, then: Mapping[str, Any]) -> Replayed:
        at = int(then["position"])
        run, _ = self._asked(at)
        now = float(run.ledger.mass[at])
        lines = [
            f"position {at}, where token {self._text.tokens[at]} came",
            f"then: the distribution sums to {then['worst_mass']}",
            f"now:  the distribution sums to {now}",
        ]
        return Replayed(lines, now > 1 + MASS_TOLERANCE)

    def _futures(self, then: Mapping[str, Any]) -> Replayed:
        cut = int(then["cut"])
        run, referee = self._asked(cut)
        probe = next(p for p in run.probes if p.cut == cut)
        assert referee.answers is not None  # the batch of the cut was asked
        lines = [
            f"two streams, the same before position {cut}:",
            f"  true   {_shown(self._text.tokens, cut)}",
            f"  other  {_shown(self._cuts()[cut][1], cut)}",
            _scores(*referee.answers, cut),
            f"then: moved by {then['moved_nats']} nats at least under both futures",
            f"now:  moved by {probe.moved_nats} nats at least under both futures",
        ]
        return Replayed(lines, probe.violated)

    def _source(self, then: Mapping[str, Any]) -> Replayed:
        n_tokens = len(self._text.tokens)
        source = draw_source(self._setup, self._vocabulary, n_tokens)
        evidence = source_evidence(self._setup, source, self._vocabulary)
        score_source(self._setup, evidence, n_tokens)
        found = check_refereed(evidence)
        now = found.evidence[0] if found.evidence else {}
        lines = [f"{name} {_bets(numbers)}" for name, numbers in (("then:", then), ("now: ", now))]
        return Replayed(lines, found.status is Status.FAIL)

    def _asked(self, until: int) -> tuple[Run, _Until]:
        settings, n_tokens = self._setup.submission.settings, len(self._text.tokens)
        run = Run(self._text, self._vocabulary, Ledger(self._setup.out / "main", n_tokens))
        cut = geometry(settings, n_tokens)
        size = self._vocabulary.size
        with (
            run.ledger,
            predictor_worker(self._setup, settings, n_tokens, size, "main") as (worker, _),
        ):
            referee = _Until(worker, self._text, size, cut, run.ledger)
            referee.until, run.probes = until, referee.probes
            with suppress(_Reached):
                referee.run(self._cuts())
        return run, referee

    def _cuts(self) -> dict[int, tuple[str, Tokens, Tokens]]:
        cut = geometry(self._setup.submission.settings, len(self._text.tokens))
        return probe_cuts(self._text, self._vocabulary, cut, self._setup.seed)


def _bets(numbers: Mapping[str, Any]) -> str:
    """The e-values of SOURCE-1."""
    plain, mixture = numbers.get("plain_nats"), numbers.get("hedged_nats")
    return f"log e-value {plain} of the total, {mixture} of bets on single tokens"


def _shown(tokens: Tokens, cut: int) -> str:
    before, behind = tokens[max(0, cut - AROUND) : cut], tokens[cut : cut + AROUND]
    return f"... {' '.join(map(str, before))} | {' '.join(map(str, behind))} ..."


def _scores(true: Rows, altered: list[Rows], batch: Batch, cut: int) -> str:
    """The entry that moved most, of a row that was fixed before the cut."""
    rows = [r.reshape(-1, r.shape[-1]).astype(np.float64) for r in (true, altered[0])]
    fixed = np.asarray(batch.targets) <= cut
    move: Floats = np.abs(np.nan_to_num(rows[0] - rows[1])) * fixed[:, None]
    row, token = np.unravel_index(int(move.argmax()), move.shape)
    at, (one, other) = batch.targets[int(row)], (-r[row, token] for r in rows)
    return f"position {at}, token {token}: {one:.6f} nats, {other:.6f} with the other future"
