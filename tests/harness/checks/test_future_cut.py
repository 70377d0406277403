"""The past does not know the future: legal orders of scoring are never accused, leaks are."""

import json

import numpy as np
import pytest
from simulated_coders import Scores, document_of, score, stream

from harness.checks.cut import Cut, choose_cut
from harness.checks.future import (
    FutureChange,
    check_future,
    compare,
    downgrade_if_model_selection,
)
from harness.checks.status import Status
from harness.streams.drawn import SourceStream
from harness.streams.perturb import redraw


def sorted_documents(law: SourceStream) -> np.ndarray:
    """Positions, shortest document first; a boundary is scored by the document before it."""
    at = np.arange(1, len(law.tokens))
    return at[np.argsort(np.bincount(document_of(law))[document_of(law)[at - 1]], kind="stable")]


def flip(law: SourceStream, run, order=None) -> tuple[Cut, FutureChange]:
    """Base, repeat and two flips of a coder: `run` is `score` with its vices."""
    base, repeat = run(law, order), run(law, order)
    cut = choose_cut(base, law.starts)
    flips = [(s, run(law, order, tokens=redraw(law, cut.changed, s))) for s in (1, 2)]
    return cut, compare(base, [repeat], flips, cut)


def honest(law, order=None, tokens=None):
    return score(law, order, tokens=tokens)


def batch_first(law, order=None, tokens=None):
    """Chunks of 64: in much smaller ones a bigram that the flip changed seldom recurs."""
    return score(law, order, 64, learn=lambda step, batch: batch, tokens=tokens)


def all_first(law, order=None, tokens=None):
    every = np.arange(1, len(law.tokens))
    return score(law, order, learn=lambda s, b: every if s == 0 else b[:0], tokens=tokens)


@pytest.mark.parametrize("seed", range(10))
def test_score_first_passes_in_any_order_of_documents(seed):
    """In the stream's order, and sorted by length: nothing moves, and much was compared."""
    law = stream(seed)
    for order in (None, sorted_documents(law)):
        cut, result = flip(law, honest, order)
        assert result.status is Status.PASS and result.nothing_moved
        assert result.compared > (400 if order is None else 64)
        assert cut.changed.min() > cut.compared.max()


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("cheat", [batch_first, all_first])
def test_learning_before_scoring_moves_scores(seed, cheat):
    """Inside one batch, and over the whole stream; the counterexample carries both numbers."""
    _, result = flip(stream(seed), cheat)

    assert result.status is Status.FAIL and len(result.moved)
    shown = result.counterexample
    assert shown is not None and shown.first_changed is not None
    assert abs(shown.nats - shown.nats_changed[1]) > 1e-3
    assert shown.first_changed > shown.position
    (numbers,) = check_future(result).evidence  # under the names that report.json has published
    assert numbers["position"] == shown.position and numbers["nats"] == shown.nats
    assert numbers["first_flipped"] == shown.first_changed
    assert {k for k in numbers if "flip_" in k} == {f"nats_flip_{s}" for s in shown.nats_changed}
    assert json.loads(json.dumps(numbers)) == numbers


@pytest.mark.parametrize("seed", range(10))
def test_a_choice_between_two_models_is_no_proof(seed):
    """Both are honest, and the whole stream decides which of them counts; learning stays one."""
    law = stream(seed)

    def better(law, order=None, tokens=None):
        """Raw weights at the end of this stream, averaged ones at the end of any other."""
        found = score(law, order, tokens=tokens)
        return found if tokens is None else Scores(found.position, found.nats + 0.1, found.event)

    _, chosen = flip(law, better)
    assert chosen.status is Status.FAIL and chosen.agreed == 1.0
    assert downgrade_if_model_selection(chosen).status is Status.UNKNOWN
    _, learnt = flip(law, all_first)
    assert downgrade_if_model_selection(learnt) is learnt


def test_a_count_of_later_tokens_is_no_choice_though_both_futures_lack_the_token():
    """One score of many, to the same other one: nearly all stand still."""
    law = stream(3)
    last = int(choose_cut(score(law), law.starts).compared.max())

    def counts(law, order=None, tokens=None):
        """The last score before the cut knows whether its own token comes again."""
        found = score(law, order, tokens=tokens)
        found.nats[found.position == last] += 0.5 * (tokens is not None)
        return found

    _, found = flip(law, counts)
    assert found.status is Status.FAIL and found.agreed == 1.0 and len(found.moved) == 1
    assert downgrade_if_model_selection(found) is found


def test_context_that_stands_earlier_is_no_leak():
    """Windows scored in another order may see earlier tokens that are scored later."""
    law = stream(4)
    order = np.concatenate([np.arange(512, 1024), np.arange(1, 512)])

    def fixed(law, order=None, tokens=None):
        """No adaptation: each score depends on the eight tokens before it."""
        x = law.tokens if tokens is None else tokens
        nats = 3 + np.array([np.cos(x[max(0, p - 8) : p].sum()) for p in order])
        return Scores(order.astype(np.int32), nats, np.arange(len(order)) // 16)

    assert flip(law, fixed, order)[1].status is not Status.FAIL


def test_unknown_unless_repeated():
    """One seed, noise without a band, too few scores, or another order of scoring: unknown."""
    law = stream(5)
    base = batch_first(law)
    cut = choose_cut(base, law.starts)
    flipped = [(s, batch_first(law, tokens=redraw(law, cut.changed, s))) for s in (1, 2)]
    noisy = Scores(base.position, base.nats + 1e-4, base.event)

    one = compare(base, [base], flipped[:1], cut)
    no_band = compare(base, [noisy], flipped, cut)
    band = compare(base, [noisy] * 4, flipped, cut)
    quiet = compare(base, [noisy] * 4, [(1, noisy), (2, noisy)], cut)

    assert one.status is Status.UNKNOWN and one.needs_second_seed
    assert no_band.status is Status.UNKNOWN and no_band.threshold_nats is None
    assert band.status is Status.FAIL and band.threshold_nats == pytest.approx(1e-3)
    assert quiet.status is Status.PASS
    reordered = Scores(base.position, base.nats, base.event[::-1].copy())
    assert compare(base, [base], [(1, reordered)], cut).status is Status.UNKNOWN


def test_the_cut_goes_through_what_an_update_had_used_early():
    """What stays cannot show: of the first tokens, learnt before all others, half changes. Few
    early uses, and those that change anyhow, leave the cut where it is.
    """
    law = stream(5)
    usual = choose_cut(honest(law), law.starts)

    def early(stop: int) -> Cut:
        return choose_cut(honest(law), law.starts, used=np.arange(1, stop))

    through = early(200)
    assert not np.isin(np.arange(1, 200), usual.changed).any()
    assert 64 < np.isin(np.arange(1, 200), through.changed).sum() < 120
    assert len(through.compared) > 64
    assert early(40).first_changed == early(1000).first_changed == usual.first_changed


def test_a_move_under_one_future_alone_is_faint():
    """It proves nothing, and is asked again louder; a choice among models is not."""
    law = stream(5)
    base = honest(law)
    cut = choose_cut(base, law.starts)
    nats = base.nats + 2e-3 * (base.position == cut.compared[5])
    once = Scores(base.position, nats, base.event)
    found = compare(base, [base], [(1, once), (2, base)], cut)
    assert found.status is Status.UNKNOWN and found.faint
    twice = compare(base, [base], [(1, once), (2, once)], cut)
    assert twice.status is Status.FAIL and not downgrade_if_model_selection(twice).faint


def test_an_unknown_order_is_cut_inside_a_document():
    """Both sides share one document."""
    law = stream(6)
    cut = choose_cut(honest(law), law.starts, order_known=False)

    documents = document_of(law)[np.concatenate([cut.changed, cut.compared]) - 1]
    assert len(np.unique(documents)) <= 2 and cut.compared.max() < cut.changed.min()


def test_a_place_that_is_inferred_too_early_accuses_nobody():
    """A score that was given its predecessor's place knows the first changed token, honestly; a
    leak from far behind is still seen.
    """

    def early(run, law):
        def moved(tokens=None):
            scores = run(law, tokens=tokens)
            return Scores(np.maximum(scores.position - 1, 0), scores.nats, scores.event)

        return moved

    def status(seed: int, run, off: int) -> Status:
        law = stream(seed)
        moved = early(run, law)
        base, repeat = moved(), moved()
        cut = choose_cut(base, law.starts, places_off=off)
        flips = [(s, moved(redraw(law, cut.changed, s))) for s in (1, 2)]
        return compare(base, [repeat], flips, cut).status

    assert Status.FAIL in {status(seed, honest, 0) for seed in range(4)}
    assert {status(seed, honest, 8) for seed in range(4)} == {Status.PASS}
    assert {status(seed, all_first, 8) for seed in range(4)} == {Status.FAIL}
