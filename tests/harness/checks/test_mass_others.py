"""The mass of tokens that nobody asked for: a line through rows that were read, where it holds."""

import numpy as np
import pytest

from harness.checks.mass_others import others_mass

V = 1024
RNG = np.random.default_rng(5)
MODEL = np.log(RNG.dirichlet(np.full(V, 30.0)))
COUNTS = np.where(RNG.random(V) < 0.03, RNG.integers(1, 60, V), 0).astype(float)
TABLE = (COUNTS + 0.02) / (COUNTS + 0.02).sum()


def estimate(probabilities: np.ndarray, rows: np.ndarray | None) -> tuple[float, float]:
    """Of the whole, after 64 tokens drawn at random and the four most counted."""
    first = np.argsort(-COUNTS)[:4]
    others = np.random.default_rng(9).permutation(np.setdiff1d(np.arange(V), first))
    tokens = np.concatenate([first, others[:64]])
    drawn = np.arange(len(tokens)) >= 4
    found = others_mass(tokens, probabilities[tokens], drawn, V, rows)
    return float(probabilities[tokens].sum()) + found.weight, found.deviation


def test_rows_that_make_the_score_tell_of_all_tokens():
    """A mixture of a network and a table is known from 64 tokens, where a plain sample knows it to
    a tenth: some tokens are a hundred times as heavy as the others.
    """
    mixed = 0.8 * np.exp(MODEL) + 0.2 * TABLE
    rows = np.stack([MODEL, COUNTS])

    weight, deviation = estimate(mixed, rows)
    assert weight == pytest.approx(1.0, abs=1e-9) and deviation < 1e-9
    _, by_sample = estimate(mixed, None)
    assert by_sample > 0.01


def test_rows_that_do_not_make_the_score_bound_nothing():
    """What is heavy beside the rows is still seen; rows of noise are worth no more than none."""
    heavy = 0.8 * np.exp(MODEL) + 0.4 * TABLE
    hidden = np.exp(MODEL) * np.where(np.arange(V) % 3 == 0, 1.9, 1.0)
    noise = RNG.normal(size=(3, V))

    weight, deviation = estimate(heavy, np.stack([MODEL, COUNTS]))
    assert weight == pytest.approx(1.2, abs=1e-6) and deviation < 1e-6
    weight, deviation = estimate(hidden, MODEL[None])
    assert weight + 3 * deviation > hidden.sum() > 1.2 and deviation > 0.01
    plain, spread = estimate(np.exp(MODEL), None)
    again, other = estimate(np.exp(MODEL), noise)
    assert other <= spread and abs(again - plain) < 6 * spread
