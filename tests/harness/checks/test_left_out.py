"""Tokens that were left out of a number for what they are."""

from dataclasses import replace

import numpy as np
import pytest
from simulated_coders import Scores, lucky, wide

from harness.checks.left_out import LeftOut, check_left_out, left_out_of, undecided
from harness.checks.status import Status
from harness.streams.uneven import is_rare, uneven_stream

TAIL = 128


def law(seed: int):
    return uneven_stream(wide(seed), seed, 4096).stream


def of(stream, left_out: np.ndarray, *, made: bool = True) -> LeftOut:
    """`made`: a score was made of every token, whatever counts."""
    at = np.arange(1, len(stream.tokens))
    kept = np.setdiff1d(at, left_out)
    scores = Scores(kept, -stream.log_q[kept], kept // 64)
    return left_out_of(scores, stream, TAIL, len(at) if made else len(kept))


def broken(found: LeftOut) -> list[str]:
    assert all(one.status is Status.FAIL for one in check_left_out([found]))
    return [one.rule for one in check_left_out([found])]


@pytest.mark.parametrize("seed", range(20))
def test_a_choice_without_a_look_at_the_tokens_is_no_finding(seed):
    """Nothing, the first, half, every k-th, rows, the end, random ones, whole documents, the ends
    of documents behind their last whole row.
    """
    stream = law(seed)
    at = np.arange(1, len(stream.tokens))
    rng = np.random.default_rng(seed)
    document = np.searchsorted(stream.starts, at, side="right")
    into = at - stream.starts[document - 1]
    length = np.diff(np.append(stream.starts, len(stream.tokens)))[document - 1]
    choices = [at[:0], at[:1], at[: len(at) // 2], at[len(at) // 2 :], at[::3], at[at % 7 == 3]]
    choices += [at[(at // 64) % 4 == 2], at[-900:], at[rng.random(len(at)) < 0.3]]
    choices += [at[document % 3 == 1], at[into >= length // 32 * 32]]

    assert [broken(of(stream, some)) for some in choices] == [[]] * len(choices)


@pytest.mark.parametrize("seed", range(10))
def test_dear_tokens_left_out_are_proved(seed):
    """A few outliers, all above a line, every third of the rare ones; with half of the stream
    missing as well.
    """
    stream = law(seed)
    rare = np.flatnonzero(is_rare(stream))
    half = np.arange(1, len(stream.tokens) // 2)
    for some in (rare[:20], rare, rare[::3], np.union1d(half, rare)):
        assert broken(of(stream, some)) == ["PASS-3"]


def test_dear_windows_left_out_are_proved_by_several_draws():
    """The dearer half of windows of 64, by scores with noise; one draw asks for another."""
    draws = []
    for seed in range(3):
        stream = law(seed)
        scores = lucky(stream, seed)
        window = scores.position // 64
        mean = np.bincount(window, scores.nats) / np.maximum(np.bincount(window), 1)
        draws.append(of(stream, scores.position[(mean > np.median(mean))[window]]))

    assert [one.rule for one in check_left_out(draws)] == ["PASS-3"]
    assert all(one.by_price or undecided([one]) for one in draws)
    assert not undecided([of(law(0), np.arange(1, 2000))])


@pytest.mark.parametrize("seed", range(5))
def test_boundaries_alone(seed):
    """Scored and dropped they are not covered; never scored, they were not paid for; where they
    are gone with many others, their documents were.
    """
    stream = law(seed)
    dropped = of(stream, stream.starts)
    never = of(stream, stream.starts, made=False)

    assert broken(dropped) == ["PASS-3"] and broken(never) == ["BYTES-6"]
    assert broken(replace(dropped, tokens=40 * len(stream.starts))) == []
    assert broken(of(stream, stream.starts[:7])) == []
