"""Why a distribution weighs more than one: by what copies answered, against the network's row."""

import numpy as np

from harness.checks.mass_cause import cause_of, target_in_key
from harness.checks.mass_estimate import MassEstimate

V = 512
RNG = np.random.default_rng(2)
LOGITS = RNG.normal(0.0, 0.4, (3, V))
MODEL = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
COUNTS = np.where(RNG.random((3, V)) < 0.1, RNG.integers(1, 9, (3, V)), 0)
TABLE = COUNTS / COUNTS.sum(1, keepdims=True)


def rule(probabilities: np.ndarray, rows: np.ndarray = LOGITS) -> str | None:
    """Of three positions, each asked for two hundred tokens."""
    sums = []
    for k in range(3):
        tokens = np.random.default_rng(k).permutation(V)[:200]
        nats = -np.log(probabilities[k, tokens])
        one = MassEstimate(k, tokens, nats, V, confirmed=0.0, rows=np.atleast_2d(rows[k]))
        sums.append(one)
    assert any(one.mass_above_one for one in sums)
    found = cause_of(sums)
    return None if found is None else found.rule


def test_each_cause_has_its_rule():
    """A boost and weights are NORM-4, quotients of counts NORM-2, a changed score NORM-6; whatever
    the row holds, logits, logarithms or probabilities.
    """
    boosted = MODEL * np.where(COUNTS > 0, 40.0, 1.0)
    quotients = 0.7 * MODEL + 0.3 * np.minimum(1.0, 5.0 * COUNTS / np.array([[2.0], [5.0], [9.0]]))
    lifted = 0.7 * MODEL + 1.9 * TABLE

    assert rule(boosted) == rule(boosted, np.log(MODEL)) == rule(boosted, MODEL) == "NORM-4"
    assert rule(quotients) == "NORM-2"
    every = np.stack([0.6 + 0.4 * k + COUNTS[k] / 3.0 for k in range(3)])
    assert (
        rule(0.7 * MODEL + 0.3 * np.minimum(1.0, every), np.stack([LOGITS, every], 1)) == "NORM-2"
    )
    full = np.where(COUNTS > 6, 0.1, 1.0) * np.array([[0.4], [0.3], [0.35]])
    assert rule(0.6 * MODEL + full) == "NORM-2"
    assert rule(5.0 * MODEL**0.9) == "NORM-6"
    assert rule(lifted, np.stack([LOGITS, COUNTS], 1)) == "NORM-4"


def test_what_has_none_of_the_forms_is_not_named():
    """The better of two scores is hindsight; a row of something else says nothing."""
    better = 6.0 * np.maximum(MODEL, MODEL[:, ::-1])

    assert rule(better) is None
    assert rule(np.maximum(8.0 * MODEL[:, ::-1], MODEL)) is None
    assert rule(MODEL * np.where(COUNTS > 0, 40.0, 1.0), RNG.normal(size=(3, V))) is None


def test_a_key_made_of_the_token_gives_to_tokens_that_nobody_counted():
    """Counts that collide, and those of one context over a wrong denominator; pseudo-counts give
    all that is new alike.
    """
    tokens = np.random.default_rng(3).permutation(V)[:200]
    stream = np.concatenate([tokens[:100], tokens])  # the other hundred are new

    def named(mixed_in: np.ndarray) -> bool:
        p = 0.7 * MODEL[0] + 0.3 * mixed_in
        nats = -np.log(p[tokens])
        one = MassEstimate(100, tokens, nats, V, confirmed=0.0, rows=LOGITS[:1])
        assert cause_of([one]).rule == "NORM-2"
        return target_in_key([one], stream) is not None

    collide = np.where(RNG.random(V) < 0.6, RNG.integers(1, 9, V), 0) / 8.0
    assert named(collide)
    assert not named(np.where(np.isin(np.arange(V), tokens[:100]), collide, 0.0))
    assert not named(np.full(V, 0.5))
