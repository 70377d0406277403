"""Two tokens behind one prefix: what weighs more than one is told, and nothing else is."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from simulated_coders import Scores, printed

from audits.facts.documented.printed_scores import Printed
from harness.checks.status import Level, Status
from harness.checks.two_tokens import (
    TwoTokens,
    beaten,
    check_pair,
    pair_distribution,
    read_pair,
    swapped,
)
from harness.streams.distributions import Uniform
from harness.streams.drawn import SourceStream, draw, schedule
from harness.trace.uses import NEVER, Uses

A, B, BOS, N = 10, 20, 1, 1024
UNUSED = np.full(N, NEVER)


@dataclass(frozen=True)
class Run:
    """What the test reads of a run."""

    source: SourceStream
    scored: Scores | None
    uses: Uses | None = None

    @property
    def headline(self) -> Printed:
        assert self.scored is not None
        return printed(self.scored.mean)


def two_pieces(seed: int) -> SourceStream:
    law = Uniform("two pieces", np.array([A, B]))
    return draw([law], schedule(N, [1], 64, seed), np.arange(4, 68), BOS, seed)


def coded(law: SourceStream, p_a: float, p_b: float, used: np.ndarray = UNUSED) -> Run:
    """Gives each piece the same probability everywhere; boundaries cost nothing."""
    at = np.arange(1, N)
    p = np.where(law.tokens[at] == A, p_a, p_b)
    nats = np.where(law.drawn[at], -np.log(p), 0.0)
    return Run(law, Scores(at.astype(np.int32), nats, 100 + at // 16), Uses(used))


def asked(run: Run) -> TwoTokens:
    """The pair of a coder: the same probabilities on the stream with the other token."""
    found = swapped(run)  # type: ignore[arg-type]
    assert found is not None
    position, law = found
    assert run.uses is not None
    mine = run.source.drawn[1:] & (run.source.tokens[1:] == A)
    p_a = float(np.exp(-run.scored.nats[mine][0])) if run.scored else 0.0
    theirs = run.source.drawn[1:] & (run.source.tokens[1:] == B)
    p_b = float(np.exp(-run.scored.nats[theirs][0])) if run.scored else 0.0
    return read_pair(run, coded(law, p_a, p_b), position)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(10))
def test_a_distribution_over_two_is_not_beaten(seed: int) -> None:
    """Half each, or a bias that the draw happens to favour: nothing to exchange, no mass."""
    law = two_pieces(seed)
    share = float((law.tokens[law.drawn] == A).mean())
    for run in (coded(law, 0.5, 0.5), coded(law, share, 1 - share), coded(law, 0.9, 0.1)):
        assert not beaten(run, run)  # type: ignore[arg-type]
        status = check_pair(asked(run))
        assert status is not None and status.status is Status.UNKNOWN


@pytest.mark.parametrize("seed", range(10))
def test_a_gate_that_reads_its_target_is_told(seed: int) -> None:
    """Both likely behind one prefix; only that one token differs between the two runs."""
    run = coded(two_pieces(seed), 0.68, 0.6)
    found = swapped(run)  # type: ignore[arg-type]
    assert found is not None
    position, law = found
    assert np.flatnonzero(law.tokens != run.source.tokens).tolist() == [position]
    assert {law.tokens[position], run.source.tokens[position]} == {A, B}
    assert beaten(run, run)  # type: ignore[arg-type]
    status = check_pair(asked(run))
    assert status is not None
    assert (status.rule, status.status, status.level) == ("NORM-1", Status.FAIL, Level.BLACK_BOX)
    assert status.evidence[0]["mass_at_least"] == pytest.approx(
        1.28, abs=1e-3
    )  # rounding is taken off


def test_another_prefix_tells_nothing() -> None:
    """Earlier scores that moved, other positions, a run that broke off, an early use."""
    run = coded(two_pieces(1), 0.68, 0.6)
    found = swapped(run)  # type: ignore[arg-type]
    assert found is not None and run.scored is not None
    position, law = found
    other = coded(law, 0.68, 0.6)
    assert other.scored is not None
    nats = other.scored.nats.copy()
    nats[3] += 1e-12
    fewer = Scores(*(getattr(other.scored, n)[:-1] for n in ("position", "nats", "event")))
    used = UNUSED.copy()
    used[position] = 50
    early = replace(run, uses=Uses(used))

    def told(one: Run, two: Run) -> bool:
        status = check_pair(read_pair(one, two, position))  # type: ignore[arg-type]
        assert status is not None and status.status in (Status.UNKNOWN, Status.FAIL)
        return status.status is Status.FAIL

    assert check_pair(None) is None
    assert told(run, other)
    assert not told(run, replace(other, scored=replace(other.scored, nats=nats)))
    assert not told(run, replace(other, scored=fewer))
    assert not told(run, replace(other, scored=None))
    assert not told(early, other)


def test_a_vocabulary_without_such_pieces() -> None:
    """One of the two is not enough."""
    law = pair_distribution(lambda pattern, most: np.array([A] if "▁" in pattern.pattern else [B]))
    assert law is not None and law.ids is not None and law.ids.tolist() == [A, B]
    assert pair_distribution(lambda pattern, most: np.array([A][: "▁" in pattern.pattern])) is None
