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

from harness.arrays import Tokens
from harness.artifacts import resolve_artifact
from harness.checks.source import check_refereed
from harness.checks.status import Status
from harness.observer import Observer
from harness.protocol.confinement import IsolationAsked
from harness.referee.ledger import Ledger
from harness.referee.predictor_run import predictor_worker
from harness.referee.referee import Cuts, Referee, Rows, before, moves
from harness.referee.run import Run
from harness.referee.setup import Setup, geometry
from harness.referee.source_run import draw_source, score_source, source_evidence
from harness.referee.twin import SECOND, ask_twin, cuts_of
from harness.replay.recorded import Counterexample, Recorded
from harness.replay.sides import Replayed
from harness.request import Request
from harness.streams.stream import validation_stream
from harness.streams.vocabulary import Vocabulary
from harness.streams.windows import Batch
from harness.submission import Kind, read_submission
from harness.tolerances import MASS_TOLERANCE, MOVE_NATS
from reference_model.data.corpus import embedded_data
from reference_model.data.folder import DataFolder

AROUND = 4  # tokens that are shown on each side of a cut


class _Reached(Exception):
    """The question that mattered has been answered."""


class _Until(Referee):
    """Ends behind the batch that holds a position; keeps what the first future was answered."""

    until = 0
    altered: Rows | None = None

    def _batch(self, batch: Batch, cuts: dict[int, tuple[str, Tokens, Tokens]]) -> None:
        super()._batch(batch, cuts)
        if self.until in batch.targets:
            raise _Reached

    def _compare(self, batch: Batch, cut: int, kind: str, altered: list[Rows]) -> None:
        if cut == self.until:
            self.altered = before(altered[0], batch, cut)
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
        engine = self._setup.submission.kind is Kind.ENGINE
        run, _ = self._asked(at, self._cuts if engine else {})
        now = float(run.ledger.mass[at])
        lines = [
            f"position {at}, where token {self._text.tokens[at]} came",
            f"then: the distribution sums to {then['worst_mass']}",
            f"now:  the distribution sums to {now}",
        ]
        return Replayed(lines, now > 1 + MASS_TOLERANCE)

    def _futures(self, then: Mapping[str, Any]) -> Replayed:
        cut, setup = int(then["cut"]), self._setup
        other, engine = self._cuts[cut][1], SECOND not in then["kind"]
        run, referee = self._asked(cut, self._cuts if engine else {})
        if not engine:
            altered = ask_twin(setup, run, {cut: self._cuts[cut]}, lambda _: other).rows[cut]
        else:
            assert referee.altered is not None  # the batch of the cut was asked
            altered = referee.altered
        moved = moves(run.kept[cut], altered, np.ones(len(altered), bool))
        lines = [
            f"two streams, the same before position {cut}:",
            f"  true   {_shown(self._text.tokens, cut)}",
            f"  other  {_shown(other, cut)}",
            _scores(run.kept[cut], altered, cut),
            f"then: moved by {then['moved_nats']} nats, the milder of two futures",
            f"now:  moved by {moved.max()} nats under the first of them",
        ]
        return Replayed(lines, bool(moved.max() > MOVE_NATS))

    def _source(self, then: Mapping[str, Any]) -> Replayed:
        n_tokens = len(self._text.tokens)
        source = draw_source(self._setup, self._vocabulary, n_tokens)
        evidence = source_evidence(self._setup, source, self._vocabulary)
        score_source(self._setup, evidence, n_tokens)
        found = check_refereed(evidence)
        now = found.evidence[0] if found.evidence else {}
        lines = [f"{name} {_bets(numbers)}" for name, numbers in (("then:", then), ("now: ", now))]
        return Replayed(lines, found.status is Status.FAIL)

    def _asked(self, until: int, cuts: Cuts) -> tuple[Run, _Until]:
        settings, n_tokens = self._setup.submission.settings, len(self._text.tokens)
        run = Run(self._text, self._vocabulary, Ledger(self._setup.out / "main", n_tokens))
        cut = geometry(settings, n_tokens)
        size = self._vocabulary.size
        with (
            run.ledger,
            predictor_worker(self._setup, settings, n_tokens, size, "main") as (worker, _),
        ):
            referee = _Until(worker, self._text, size, cut, run.ledger, keep=[until])
            referee.until, run.probes, run.kept = until, referee.probes, referee.kept
            with suppress(_Reached):
                referee.run(cuts)
        return run, referee

    @property
    def _cuts(self) -> Cuts:
        return cuts_of(self._setup, self._text, self._vocabulary)


def _bets(numbers: Mapping[str, Any]) -> str:
    """The e-values of SOURCE-1."""
    plain, mixture = numbers.get("plain_nats"), numbers.get("hedged_nats")
    return f"log e-value {plain} of the total, {mixture} of bets on single tokens"


def _shown(tokens: Tokens, cut: int) -> str:
    before, behind = tokens[max(0, cut - AROUND) : cut], tokens[cut : cut + AROUND]
    return f"... {' '.join(map(str, before))} | {' '.join(map(str, behind))} ..."


def _scores(
    true: Rows,  # (k, V) nats, of the last rows before a cut
    altered: Rows,  # the same rows
    cut: int,
) -> str:
    """The entry that moved most."""
    move = np.abs(np.nan_to_num(true.astype(np.float64) - altered))
    row, token = np.unravel_index(int(move.argmax()), move.shape)
    at = cut + 1 - len(true) + int(row)
    one, other = -float(true[row, token]), -float(altered[row, token])
    return f"position {at}, token {token}: {one:.6f} nats, {other:.6f} with the other future"
