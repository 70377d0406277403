"""Nobody beats the source: honest codes are never refuted, cheats are, and rounding is forgiven.

Codes are simulated as what the test sees of them, a score per token, against laws that are drawn
here: q_t = softmax of normal logits over 64 of the ordinary ids, 2,048 tokens in 8 documents.
"""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from harness.checks.e_values import THRESHOLD_NATS, mixture_log_e
from harness.checks.source import REFEREED, SourceTest, check_refereed, source_test
from harness.checks.status import Level, Status
from harness.referee.ledger import Ledger
from harness.referee.ledger_pass import ledger_pass
from harness.referee.run import Run, SourceRun
from harness.streams.drawn import SourceStream
from harness.streams.vocabulary import Vocabulary
from harness.tolerances import MASS_TOLERANCE

N_TOKENS, DOCUMENT, N_IDS = 2048, 256, 64
N_TRIALS = 300


@pytest.fixture(scope="module")
def evidence_of(
    vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., SourceRun]:
    """Evidence of a code with these scores on a stream with this law."""
    folder = tmp_path_factory.mktemp("source")

    def make(
        log_q: np.ndarray,  # (T,) nats; 0 at boundaries
        nats: np.ndarray,  # (T,) nats
    ) -> SourceRun:
        opens = log_q == 0
        tokens = np.where(opens, vocabulary.boundary, vocabulary.ordinary[0])
        source = SourceStream(
            tokens,
            np.flatnonzero(opens),
            log_q,
            ~opens,
            np.zeros(len(tokens), np.int8),
            ("a law",),
            0,
            vocabulary.ordinary,
        )
        with Ledger(Path(folder), len(tokens)) as ledger:
            ledger.nats[1:] = nats[1:]
        return SourceRun(source, Run(source, vocabulary, ledger))

    return make


def both_of(evidence: SourceRun) -> SourceTest:
    """Both e-values of a refereed run."""
    return source_test(REFEREED, ledger_pass(evidence.run.ledger), evidence.source)


def law_and_code(
    seed: int, noise: float, n: int = N_TOKENS
) -> tuple[np.ndarray, np.ndarray]:  # (T,) log_q, (T,) nats
    """A drawn stream's law, and an honest code: p = q times noise, normalised."""
    rng = np.random.default_rng(seed)
    law = log_softmax(rng.normal(0, 0.7, (n, N_IDS)), axis=1)
    code = log_softmax(law + noise * rng.normal(size=law.shape), axis=1)
    u = rng.random((n, 1))
    drawn = np.minimum((np.exp(law).cumsum(1) <= u).sum(1), N_IDS - 1)
    rows = np.arange(n)
    log_q, nats = law[rows, drawn], -code[rows, drawn]
    log_q[::DOCUMENT], nats[::DOCUMENT] = 0.0, 0.0  # both know the schedule
    return log_q, nats


@pytest.mark.parametrize("noise", [0.05, 0.4, 1.0])
def test_no_honest_code_is_refuted(evidence_of, noise):
    """Ville: of hundreds of honest codes, close to the source or far from it, none is refuted, and
    the plain e-value's mean stays about one or below.
    """
    tests = []
    for seed in range(N_TRIALS // 3):
        log_q, nats = law_and_code(seed, noise, n=512)
        tests.append(both_of(evidence_of(log_q, nats)))
    e_values = np.exp([t.plain + t.allowance for t in tests])

    assert not any(t.refuted for t in tests)
    assert e_values.mean() < 1.5  # its standard error is 0.16 at the least noise
    assert all(t.mixture < 5 for t in tests)


def test_the_source_itself_saves_nothing(evidence_of):
    """p = q: both e-values are one, less what is forgiven."""
    log_q, _ = law_and_code(0, 0.0)

    test = both_of(evidence_of(log_q, -log_q))

    assert test.plain == pytest.approx(-test.allowance) and test.plain < 0
    assert -test.allowance <= test.mixture <= 0


def cheat(seed: int, share: float, nats_saved: float) -> tuple[np.ndarray, np.ndarray]:
    """An inefficient code (0.28 nats a token) that saves some nats on a share of the tokens."""
    log_q, nats = law_and_code(seed, 0.75)
    assert (nats + log_q).mean() == pytest.approx(0.28, abs=0.08)
    peeked = np.random.default_rng(seed + 999).random(N_TOKENS) < share
    peeked[::DOCUMENT] = False
    nats[peeked] = np.maximum(nats[peeked] - nats_saved, 0.0)
    return log_q, nats


def test_a_cheat_that_its_own_waste_hides_is_refuted_by_the_mixture(evidence_of):
    """3 nats saved on 2 % of tokens against 0.28 nats wasted on each: the plain e-value is hundreds
    of nats away, the mixture refutes (nineteen in twenty; the rest got few chances to cheat).
    """
    tests = []
    for seed in range(20):
        log_q, nats = cheat(seed, 0.02, 3.0)
        tests.append(both_of(evidence_of(log_q, nats)))

    assert all(t.plain < -300 for t in tests)
    assert all(t.mixture > THRESHOLD_NATS - 3 for t in tests)
    assert sum(t.refuted for t in tests) >= 18


def test_boundaries_are_no_source_of_gain(evidence_of):
    """Knowing the schedule, or leaving boundaries out, saves nothing; not knowing it only costs."""
    log_q, nats = law_and_code(2, 0.4)
    blind = nats.copy()
    blind[::DOCUMENT] = 6.0  # a model that is surprised by every boundary

    knowing, surprised = (both_of(evidence_of(log_q, x)) for x in (nats, blind))

    assert knowing.plain - surprised.plain == pytest.approx(6.0 * (N_TOKENS // DOCUMENT - 1))
    assert knowing.mixture == surprised.mixture  # the mixture bets on drawn tokens only
    assert not knowing.refuted and not surprised.refuted


@given(
    seed=st.integers(0, 30),
    mass=st.floats(0.01, 1.0),
    noise=st.floats(0.0, 1.0),
)
def test_mass_below_one_is_never_refuted(evidence_of, seed, mass, noise):
    """A code that gives away probability only hurts its author."""
    log_q, nats = law_and_code(seed, noise, n=512)

    assert not both_of(evidence_of(log_q, nats - math.log(mass))).refuted


def test_mass_of_the_size_that_the_mass_rule_tolerates_is_forgiven(evidence_of):
    """1 + 1e-4 at every position is float noise to NORM-1, and no saving here."""
    log_q, _ = law_and_code(3, 0.0)
    nats = -log_q - math.log1p(MASS_TOLERANCE)

    test = both_of(evidence_of(log_q, nats))

    assert test.plain <= 1e-9
    assert test.mixture <= 1e-9


@given(st.lists(st.floats(-800, 800), min_size=1, max_size=50))
def test_the_mixture_is_a_number_for_every_score(log_ratios):
    """Certain misses and certain hits neither overflow nor become NaN; the bet of nothing, one of
    42, is the floor.
    """
    log_e = mixture_log_e(np.array(log_ratios))

    assert math.isfinite(log_e)
    assert log_e >= -math.log(42) - 1e-9


def test_the_status_carries_the_numbers_behind_it(evidence_of):
    """Pass says the saving; fail says that causality, order or mass is broken, not which."""
    for share, status in ((0.0, Status.PASS), (0.5, Status.FAIL)):
        evidence = evidence_of(*cheat(0, share, 3.0))
        test = both_of(evidence)

        found = check_refereed(evidence)

        assert (found.rule, found.status, found.level) == ("SOURCE-1", status, Level.REFEREE)
        assert found.evidence[0]["plain_nats"] == test.plain
        assert found.evidence[0]["hedged_nats"] == test.mixture
        assert ("this test alone does not say which" in found.detail) == (status is Status.FAIL)


def test_a_target_of_probability_zero_is_lost_and_no_reason_to_say_nothing(evidence_of):
    """An infinite score has a place in the ledger: the code pays for it, and is not refuted."""
    log_q, nats = law_and_code(0, 0.1)
    nats[300] = np.inf

    found = check_refereed(evidence_of(log_q, nats))

    assert found.status is Status.PASS
