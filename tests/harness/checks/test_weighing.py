"""A printed mean that counts some tokens for more than others."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from simulated_coders import Scores, lucky, printed
from test_printed_claim import pure
from test_replayed import capture

from harness.checks.status import Status
from harness.checks.weighing import beats_nothing, check_weighing, explained, weighing
from harness.protocol.schema import EventKind

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


@pytest.mark.parametrize("seed", range(3))
def test_a_number_that_is_no_mean_of_honest_scores(seed):
    """Whole softmaxes of every target, as good as the source: what beats it is no mean of them.
    Scores that beat it themselves, a mix in plain numbers, or targets without a score: not known.
    """
    law = pure(seed)
    once = lucky(law, seed)

    def run(nats, width=64, kinds=(EventKind.SUM,), fewer=0) -> SimpleNamespace:
        at = once.position[fewer:]
        one = capture([(kind, "0.5") for kind in kinds])
        columns = {
            "position": np.tile(at, len(kinds)),
            "nats": np.concatenate([nats[fewer:] * (1 + 0.1 * k) for k in range(len(kinds))]),
            "score_event": np.repeat(np.arange(len(kinds)), len(at)),
            "softmax_width": np.full(len(kinds), width),
        }
        head = printed(1.0)
        return SimpleNamespace(
            capture=replace(one, **columns), headline=head, stream=law, source=law
        )

    assert beats_nothing(run(once.nats))
    assert not beats_nothing(run(once.nats * 0.8))
    assert not beats_nothing(run(once.nats, width=0))
    assert not beats_nothing(run(once.nats, kinds=(EventKind.SUM, EventKind.VALUE)))
    assert not beats_nothing(run(once.nats, fewer=100))
