"""A printed mean that counts some tokens for more than others."""

import numpy as np
import pytest
from simulated_coders import Scores, lucky, printed
from test_printed_claim import pure

from harness.checks.status import Status
from harness.checks.weighing import check_weighing, explained, weighing

LONG = 64  # tokens of a window


def weighed(scores: Scores, weight: np.ndarray) -> Scores:
    return Scores(scores.position, scores.nats, scores.event, weight)


def statuses(scores: Scores, law, places: int = 8) -> list[Status]:
    found = weighing(printed(scores.mean, places), scores, law, pure=True)
    return [finding.status for finding in check_weighing(found)]


@pytest.mark.parametrize("seed", range(5))
def test_what_overlap_and_means_of_means_explain_is_legal(seed):
    """Tokens counted twice; the last 64 of a stream counted 32 times; means of batches and of
    documents, whatever their lengths; a factor for all.
    """
    law = pure(seed)
    once = lucky(law, seed)
    n = len(once.nats)
    tail = np.concatenate([np.arange(n), np.tile(np.arange(n - LONG, n), 31)])
    overlap = Scores(*(a[tail] for a in (once.position, once.nats, once.event, once.weight)))
    lengths = np.bincount(once.event)[once.event]
    batches = weighed(once, 1.0 / lengths)
    document = np.searchsorted(law.starts, once.position, side="right")
    documents = weighed(once, 1.0 / np.bincount(document)[document])

    for legal in (once, overlap, batches, documents, weighed(once, np.full(n, 0.25))):
        assert explained(legal) and statuses(legal, law) == []


@pytest.mark.parametrize("seed", range(5))
def test_weights_that_look_at_the_tokens_are_proved(seed):
    """Boundaries a million times; windows by how good they are. Its own scores beat nothing."""
    law = pure(seed, documents=16)
    once = lucky(law, seed, noise=0.3)
    boundary = weighed(once, np.where(law.drawn[once.position], 1.0, 1e6))
    window = once.position // 4
    loss = np.bincount(window, once.nats) / np.bincount(window)
    by_loss = weighed(once, np.exp(-4.0 * loss)[window])

    assert statuses(boundary, law) == [Status.FAIL]
    assert statuses(by_loss, law) == [Status.FAIL]


@pytest.mark.parametrize("seed", range(5))
def test_weights_that_look_at_nothing_are_open(seed):
    """They are not the mean over the set, and prove nothing."""
    law = pure(seed)
    once = lucky(law, seed)
    weight = np.random.default_rng(seed).uniform(0.5, 2.0, len(once.nats))

    assert statuses(weighed(once, weight), law) == [Status.UNKNOWN]
