"""Laws are exact: q is the probability that the token was drawn with; documents share nothing."""

import numpy as np
import pytest
from simulated_coders import BOS, ORDINARY

from harness.errors import HarnessError
from harness.streams.controls import adaptation_control, other_beginnings, training_control
from harness.streams.distributions import Markov, Repeats, Uniform
from harness.streams.drawn import draw, schedule
from harness.streams.perturb import redraw

TEXT = np.random.default_rng(0).choice(ORDINARY[:12], size=3000, p=np.arange(1, 13) / 78)


LAWS = [Uniform(), Repeats(0.7, (4, 8)), Markov(TEXT)]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_q_is_the_probability_of_the_draw(law):
    """Every law is calibrated: the sum of 1/q over the ids is what importance sampling says. The
    mean of 1/(V q) over draws estimates the number of possible ids over V, which is one.
    """
    plan = schedule(40_000, [1], 200, 3)
    stream = draw([law], plan, ORDINARY, BOS, 3)
    log_q = stream.log_q[stream.drawn]

    ratio = np.exp(-np.log(len(ORDINARY)) - log_q)

    assert ratio.mean() == pytest.approx(1.0, abs=5 * ratio.std() / np.sqrt(len(ratio)) + 1e-9)
    assert (log_q < 0).all()


def test_uniform_runs_over_all_ordinary_ids():
    """A subset would hide nats."""
    stream = draw([Uniform()], schedule(20_000, [1], 200, 1), ORDINARY, BOS, 1)

    assert set(stream.tokens[stream.drawn]) == set(ORDINARY)
    assert stream.log_q[stream.drawn] == pytest.approx(-np.log(64))


def test_boundaries_follow_the_published_schedule():
    """q = 1 there; length is kept; no document is shorter than scripts accept; laws get shares."""
    plan = schedule(4097, [2, 1, 1], 128, 9)
    stream = draw(LAWS, plan, ORDINARY, BOS, 9)

    assert len(stream.tokens) == 4097
    assert np.array_equal(np.flatnonzero(stream.tokens == BOS), plan.starts)
    assert (stream.log_q[plan.starts] == 0).all() and not stream.drawn[plan.starts].any()
    assert plan.lengths.min() >= 32 and len(np.unique(plan.lengths)) > 5
    shares = np.bincount(stream.distribution_of) / 4097
    assert shares == pytest.approx([0.5, 0.25, 0.25], abs=0.06)


def test_the_highest_id_closes_the_stream():
    """Some scripts take the vocabulary's size from it; it is scheduled, and stays in every flip."""
    stream = draw(LAWS, schedule(2049, [2, 1, 1], 128, 9), ORDINARY, BOS, 9)

    assert stream.tokens[-1] == max(ORDINARY)
    assert stream.log_q[-1] == 0 and not stream.drawn[-1]
    assert redraw(stream, np.arange(2049), 1)[-1] == max(ORDINARY)


def test_a_document_shorter_than_its_distance_copies_nothing():
    """Of any length, down to a token, under any seed."""
    rng, ordinary = np.random.default_rng(0), np.arange(4, 64)
    lengths = np.arange(1, 16).repeat(8)
    bodies = Repeats().documents(lengths, ordinary, 1, rng)
    assert [len(tokens) for tokens, _ in bodies] == lengths.tolist()
    assert all(np.allclose(log_q, -np.log(60)) for _, log_q in bodies)


def test_repeats_stay_inside_a_document():
    """Nothing is copied over a boundary: the first tokens of a document are uniform."""
    stream = draw([Repeats(0.9, (8, 8))], schedule(4000, [1], 100, 2), ORDINARY, BOS, 2)

    first = np.concatenate([s + 1 + np.arange(8) for s in stream.starts])
    assert stream.log_q[first] == pytest.approx(-np.log(64))
    assert (stream.log_q > np.log(0.89)).mean() > 0.7


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_a_draw_is_its_seed(law):
    """Same seed, same stream; another seed or a training split shares nothing."""
    plan = schedule(2000, [1], 100, 5)
    one, again, other, training = (
        draw([law], plan, ORDINARY, BOS, seed, split)
        for seed, split in ((5, 0), (5, 0), (6, 0), (5, 1))
    )

    assert np.array_equal(one.tokens, again.tokens)
    for different in (other, training):
        same = (one.tokens == different.tokens)[one.drawn]
        assert same.mean() < 0.35


def test_the_boundary_is_no_ordinary_id():
    """Else q(boundary) would be two things."""
    with pytest.raises(HarnessError, match="boundary"):
        draw([Uniform()], schedule(100, [1], 50, 1), np.arange(68), BOS, 1)


def test_a_flip_changes_what_it_is_told_and_nothing_else():
    """Other ordinary ids at the positions, the same boundaries and length."""
    stream = draw([Uniform()], schedule(2000, [1], 100, 5), ORDINARY, BOS, 5)
    at = np.arange(1000, 2000)

    flipped = redraw(stream, at, 8)

    changed = flipped != stream.tokens
    assert not changed[:1000].any()
    assert changed[1000:].sum() == stream.drawn[1000:].sum()
    assert np.array_equal(flipped == BOS, stream.tokens == BOS)
    assert np.isin(flipped[stream.drawn], ORDINARY).all()


def test_controls():
    """Training: the validation stream again. Adaptation: each chunk, then itself."""
    stream = draw([Uniform()], schedule(500, [1], 100, 5), ORDINARY, BOS, 5)
    assert np.array_equal(training_control(stream, 1200)[500:1000], stream.tokens)

    control = adaptation_control(1000, 32, 3, ORDINARY, BOS, 4)
    body = control.tokens[1:193].reshape(3, 2, 32)
    assert np.array_equal(body[:, 0], body[:, 1]) and control.tokens[193] == BOS
    assert len(control.tokens) == 5 * 193
    copies = control.drawn[1:193].reshape(3, 2, 32)
    assert copies[:, 1].all() and not copies[:, 0].any()  # only a copy counts, as if it were fresh


@pytest.mark.parametrize(("chunk", "pairs", "beginning"), [(32, 3, 128), (32, 1, 16)])
def test_other_beginnings_leave_what_stands_behind(chunk, pairs, beginning):
    """Every ordinary token up to two chunks before a document's end is another one, or those of its
    first quarter; nothing else changes.
    """
    control = adaptation_control(1000, chunk, pairs, ORDINARY, BOS, 4)
    other = other_beginnings(control, chunk, 5)
    changed = (control.tokens != other.tokens).reshape(-1, 1 + 2 * pairs * chunk)
    assert changed[:, 1 : 1 + beginning].all()
    assert not changed[:, 0].any() and not changed[:, 1 + beginning :].any()
    assert np.isin(other.tokens, [*ORDINARY, BOS]).all()
