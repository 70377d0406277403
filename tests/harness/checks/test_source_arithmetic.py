"""What the arithmetic must respect: a legal coder that a careless tester would accuse passes in ten
seeds, and its cheating twin is caught.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from simulated_coders import REPEATS, Scores, document_of, lucky, peek, printed, score, stream

from harness.checks.e_values import THRESHOLD_NATS
from harness.checks.source import (
    SourceTest,
    check_source,
    source_test,
)
from harness.checks.status import Status
from harness.streams.distributions import Uniform
from harness.streams.drawn import SourceStream

SEEDS = range(10)


def judge(scores: Scores, law: SourceStream, places: int = 8) -> SourceTest:
    """The printed number is the weighted mean of the scores."""
    return source_test(printed(scores.mean, places), scores, law)


def only(scores: Scores, kept: np.ndarray) -> Scores:
    return Scores(*(a[kept] for a in (scores.position, scores.nats, scores.event, scores.weight)))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_very_tokens_that_were_counted(seed):
    """A coder as good as the source counts a fixed part; the other part, and the law's mean, would
    accuse it. One that counts what turned out cheap is caught.
    """
    law = stream(seed, REPEATS)
    every = lucky(law, seed, noise=0.02)
    cheap_part = only(every, law.log_q[every.position] > -2)  # looking at the tokens, but paying q
    fixed = only(every, every.position % 3 == 0)
    noisy = lucky(law, seed, noise=1.0)
    chosen = only(noisy, noisy.nats < -law.log_q[noisy.position])

    careless = -law.log_q[law.drawn].mean() - cheap_part.mean
    assert careless * len(cheap_part.nats) > THRESHOLD_NATS
    assert not judge(cheap_part, law).refuted
    assert not judge(fixed, law).refuted
    assert judge(chosen, law).refuted


@pytest.mark.parametrize("seed", SEEDS)
def test_boundaries_are_a_published_schedule(seed):
    """Knowing every boundary, or skipping them, wins nothing; knowing what follows them does."""
    law = stream(seed)
    knows = lucky(law, seed, noise=0.02)
    skips = only(knows, law.drawn[knows.position])
    after = np.isin(knows.position, law.starts + 1)
    peeks = Scores(knows.position, np.where(after, 0.01, knows.nats), knows.event)

    careless = np.log(65) * len(knows.nats) - knows.nats.sum()
    assert careless > THRESHOLD_NATS
    assert not judge(knows, law).refuted and not judge(skips, law).refuted
    assert judge(peeks, law).refuted


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("laws", [(Uniform(),), REPEATS])
def test_documents_in_another_order_win_nothing(seed, laws):
    """Score-first adaptation over documents sorted by length is honest; learning each batch first
    is not.
    """
    law = stream(seed, laws)
    lengths = np.bincount(document_of(law))
    at = np.arange(1, len(law.tokens))
    order = at[np.argsort(lengths[document_of(law)[at]], kind="stable")]

    assert not judge(score(law, order), law).refuted
    assert judge(score(law, order, learn=lambda step, batch: batch), law).refuted


@pytest.mark.parametrize("seed", SEEDS)
def test_another_alphabet_is_silent(seed):
    """Nats a byte look like a miracle against nats a token. Nothing was rebuilt: unknown."""
    law = stream(seed)
    honest = score(law)
    a_byte = printed(honest.mean / 3.2)
    law_status = check_source([source_test(a_byte, None, law)], lambda p: True, law)
    unequal = Scores(honest.position, honest.nats, honest.event, gap=0.7)

    assert source_test(a_byte, None, law).below_source > THRESHOLD_NATS
    assert law_status.status is Status.UNKNOWN
    assert not source_test(a_byte, unequal, law).refuted
    assert judge(peek(lucky(law, seed), seed), law).refuted


@pytest.mark.parametrize("seed", SEEDS)
def test_weights_are_scaled_and_shared(seed):
    """Overlapping windows count a token 16 times: luck is not multiplied. Batch means and small
    first windows weigh tokens unequally; two honest scores of one token share its weight.
    """
    law = stream(seed)
    once = lucky(law, seed)
    rows = np.tile(np.arange(len(once.nats)), 16)
    overlap = only(once, rows)
    weighted = Scores(once.position, once.nats, once.event, 1 + (once.position % 5) * 3.0)
    other = lucky(law, seed + 100)
    both = Scores(*(np.concatenate([a, b]) for a, b in zip(parts(once), parts(other), strict=True)))

    assert judge(overlap, law).plain == pytest.approx(judge(once, law).plain, abs=1.0)
    for legal in (overlap, weighted, both):
        assert not judge(legal, law).refuted
        assert judge(peek(legal, seed, 0.2), law).refuted


def parts(scores: Scores) -> tuple[np.ndarray, ...]:
    return scores.position, scores.nats, scores.event, scores.weight


def test_luck_counted_sixteen_times_would_accuse():
    """What a tester without weights does to honest coders."""
    saved = []
    for seed in SEEDS:
        law = stream(seed)
        once = lucky(law, seed, noise=0.05)
        saved.append(16 * float((-once.nats - law.log_q[once.position]).sum()))

        assert not judge(once, law).refuted

    assert max(saved) > THRESHOLD_NATS


@pytest.mark.parametrize("weight", [np.nan, -1.0, 0.0])
def test_unknown_weights_claim_nothing(weight):
    """The printed number could be any mean."""
    law = stream(0)
    cheat = peek(lucky(law, 0), 0)
    unknown = Scores(cheat.position, cheat.nats, cheat.event, np.full(len(cheat.nats), weight))
    test = source_test(printed(cheat.mean), unknown, law)

    assert test.inconclusive and not test.refuted
    assert judge(cheat, law).refuted


@pytest.mark.parametrize("seed", SEEDS)
def test_resolution_is_subtracted(seed):
    """Coders as good as the source: rounded down to bfloat16, printed in two places, summed in
    float32. The twins save a lot more than rounding may.
    """
    law = stream(seed, n=8192)
    exact = lucky(law, seed, noise=0.0)
    bits = exact.nats.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
    coarse = Scores(exact.position, bits.view(np.float32).astype(float), exact.event)
    down = printed(exact.mean - 0.0049, places=2)

    assert (exact.nats - coarse.nats).sum() > THRESHOLD_NATS
    assert not judge(coarse, law).refuted
    assert not source_test(down, exact, law).refuted
    assert source_test(printed(2.0, places=2), peek(exact, seed, 0.5, 4.2), law).refuted
    assert judge(peek(exact, seed), law, places=2).refuted  # by the captured scores


def test_a_sixteen_bit_mean_is_one_rounding_a_token():
    """Exact scores, a printed mean that was rounded to bfloat16 in the coder's favour."""
    law = stream(1, n=4096)
    exact = lucky(law, 1, noise=0.0)
    mean = exact.mean - 0.9 * 2.0**-7  # half a unit between two and four
    test = source_test(printed(mean), Scores(*parts(exact), gap=9e-4), law)

    assert test.below_source > THRESHOLD_NATS
    assert not test.refuted


def test_captured_scores_save_no_more_than_was_printed():
    """A rebuilt pass that is better than the printed number is not what was printed."""
    law = stream(2, n=4096)
    honest = lucky(law, 2, noise=0.02)
    better = Scores(honest.position, honest.nats - 0.01, honest.event, gap=9e-4)

    assert judge(better, law).refuted
    assert not source_test(printed(honest.mean), better, law).refuted


@pytest.mark.parametrize("seed", SEEDS)
def test_diagnostics_convict_nobody(seed):
    """A loss after adaptation may beat the source; the headline of the twin may not."""
    law = stream(seed)
    first = score(law)
    again = score(law, learn=lambda step, batch: first.position if step == 0 else batch[:0])
    diagnostic = source_test(printed(again.mean, diagnostic=True, tag="after"), again, law)
    head = source_test(printed(first.mean), first, law)
    decides = [check_source(tests, lambda p: True, law).status for tests in ([diagnostic, head],)]
    twin = check_source([head, source_test(printed(again.mean), again, law)], lambda p: True, law)

    assert diagnostic.refuted and decides == [Status.PASS]
    assert twin.status is Status.FAIL
    assert twin.evidence[1]["saved_nats"] > THRESHOLD_NATS


def test_one_number_convicts():
    """A diagnostic and an earlier number may beat the source; only the headline decides, so the
    error probability is shared with nobody.
    """
    law = stream(3, (Uniform(),), n=2048)
    honest, cheat = score(law), score(law)
    cheat = Scores(cheat.position, cheat.nats - 1.0, cheat.event)
    tests = [judge(cheat, law), judge(honest, law)]

    def status(head: SourceTest) -> Status:
        return check_source(tests, lambda number: number is head.printed, law).status

    assert (status(tests[0]), status(tests[1])) == (Status.FAIL, Status.PASS)


def test_a_cheat_on_one_law_is_not_hidden_by_waste_on_another():
    """The hedge looks at each law alone: a coder that wastes nats on repeats cheats on noise."""
    law = stream(3, (Uniform(), REPEATS[0]), n=2048)
    honest = score(law)
    uniform = law.distribution_of[honest.position] == 0
    cheat = Scores(honest.position, np.where(uniform, np.log(64) - 0.2, honest.nats), honest.event)

    assert not judge(honest, law).refuted
    test = judge(cheat, law)
    assert test.plain < 0 and test.refuted
    said = check_source([test], lambda p: True, law)
    # It is not said to beat the source by what it lost against it in all.
    assert "impossibly well, though the total is poor" in said.message and "beats" not in said.text
    assert "nats above the source's code length in all" in said.detail


@dataclass(frozen=True)
class Inferred(Scores):
    inferred: bool = True


def test_no_bet_is_made_on_an_inferred_place():
    """A score beside its place may meet a neighbour's probability: only the total counts, unless
    all tokens are alike. The source's own code, shifted by one, would be accused.
    """
    law = stream(3, REPEATS)
    own = lucky(law, 3, noise=0.02)
    shifted = (np.maximum(own.position - 1, 1), own.nats, own.event)

    assert judge(Scores(*shifted), law).refuted
    assert not judge(Inferred(*shifted), law).refuted
