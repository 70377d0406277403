"""Tokens that never count: which are exchanged, and what a number that stays proves."""

from dataclasses import replace

import numpy as np
import pytest
from simulated_coders import Scores, lucky, printed, stream

from harness.checks.coverage import (
    FEWEST,
    Exchange,
    check_coverage,
    few_of,
    gaps_to_exchange,
    parts_to_exchange,
)
from harness.checks.status import Status
from harness.streams.drawn import SourceStream
from harness.streams.perturb import redraw_alike

TAIL = 64


def without(law, left_out: np.ndarray) -> Scores:
    every = lucky(law, 1)
    kept = ~np.isin(every.position, left_out)
    return Scores(every.position[kept], every.nats[kept], every.event[kept])


@pytest.mark.parametrize("seed", range(3))
def test_what_honest_scripts_leave_out_is_left_alone(seed):
    """Nothing; the first token; boundaries and what follows them; an incomplete last batch; every
    third token; a stride longer than a window.
    """
    law = stream(seed)
    at = np.arange(1, len(law.tokens))
    near = np.concatenate([law.starts, law.starts + 1])
    legal = [at[:0], at[:1], near, at[-300:], at[at % 3 == 0], at[at % 128 >= 64]]

    assert [len(gaps_to_exchange(without(law, some), law, TAIL)) for some in legal] == [0] * 6


@pytest.mark.parametrize("seed", range(3))
def test_what_never_counts_is_found(seed):
    """Half of the stream; whole documents; rows of 64 in no order; the beginning."""
    law = stream(seed)
    at = np.arange(1, len(law.tokens))
    document = np.searchsorted(law.starts, at, side="right")
    rows = np.isin(at // 64, [2, 3, 7, 11])
    for left_out in (at[at >= 500], at[document % 3 == 1], at[rows], at[at < 400]):
        found = gaps_to_exchange(without(law, left_out), law, TAIL)

        assert len(found) >= FEWEST and np.isin(found, left_out).all()
        assert not np.isin(found, law.starts).any()
        few = few_of(found, 32, seed)
        assert np.isin(few, found).all() and 1 <= len(few) <= 3


def test_a_share_of_each_stream_is_no_incomplete_batch():
    """A little more than half of this stream, and of a longer one; a batch of 600 explains what is
    left of both, and one alone is left in doubt.
    """
    short, long = stream(0), stream(1, n=4097)

    def leaving(law, share: float) -> tuple[Scores, SourceStream]:
        at = np.arange(1, len(law.tokens))
        return without(law, at[at >= share * len(law.tokens)]), law

    scored, _ = leaving(short, 0.55)
    whole = 600 / len(short.tokens)
    assert not len(gaps_to_exchange(scored, short, TAIL))
    assert len(gaps_to_exchange(scored, short, TAIL, [leaving(long, 0.55)])) >= FEWEST
    batches = [leaving(long, (len(long.tokens) // 600) * 600 / len(long.tokens))]
    assert not len(gaps_to_exchange(leaving(short, whole)[0], short, TAIL, batches))


def test_exchanged_tokens_count_as_many_bytes():
    """So that a number in bits a byte stays as well; a token alone of its kind stays."""
    law = stream(0)
    kinds = np.arange(68) // 4
    kinds[10] = 99
    places = np.arange(100, 600)
    tokens = redraw_alike(law, places, kinds, 1)
    moved = np.flatnonzero(tokens != law.tokens)

    assert (kinds[tokens] == kinds[law.tokens]).all()
    wanted = places[law.drawn[places] & (law.tokens[places] != 10)]
    assert np.array_equal(moved, wanted)


def test_a_number_that_stays_needs_digits_and_a_control():
    """Four places, no control, a control that did not move, a draw that moved: nothing is proved.
    Two draws of a number of eight places are enough.
    """
    fine, coarse = printed(6.93147231), printed(6.9315, places=4)
    same, moved = Exchange("the half", 700, 0.0), Exchange("the half", 700, 1e-5)
    control = [Exchange("later tokens", 400, 4e-4)]

    found = check_coverage([same, same], control, fine)
    assert found is not None and found.status is Status.FAIL and found.rule == "PASS-3"
    silent = [
        check_coverage([same, same], control, coarse),
        check_coverage([same, same], [], fine),
        check_coverage([same, same], [replace(control[0], moved=0.0)], fine),
        check_coverage([same, moved], control, fine),
        check_coverage([], control, fine),
    ]
    assert silent == [None] * 5


def test_parts_of_a_stream_leave_honest_ends_alone():
    """Neither the tail nor a boundary is exchanged."""
    law = stream(2)
    for places in parts_to_exchange(law, TAIL).values():
        assert len(places) > FEWEST and law.drawn[places].all()
        assert places.max() < len(law.tokens) - TAIL
