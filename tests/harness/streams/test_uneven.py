"""Tokens of unequal price, in documents whose ends are drawn."""

import numpy as np
import pytest
from simulated_coders import wide

from harness.streams.drawn import SHORTEST
from harness.streams.uneven import COMMON, END, FEWEST_IDS, RARE, inside, is_rare, uneven_stream


@pytest.mark.parametrize("seed", range(3))
def test_prices_are_those_of_the_draw(seed):
    """Rare tokens and ends come as often as their prices say, all probabilities of a position add
    up to one, and the shard has the same common ids.
    """
    drawn = uneven_stream(wide(seed), seed, 8192)
    law, shard = drawn.stream, drawn.shard
    dear, within = is_rare(law), inside(law)
    q = np.exp(law.log_q)
    n = within.sum()
    at = np.arange(1, len(law.tokens))
    begun = law.starts[np.searchsorted(law.starts, at) - 1]
    may_end = at[(at - begun >= SHORTEST) & (at <= len(law.tokens) - SHORTEST)]

    assert abs(dear[within].mean() - RARE) < 5 * np.sqrt(RARE / n)
    assert len(np.unique(law.tokens[within & ~dear])) == COMMON
    assert np.isin(law.starts[1:], may_end).all()
    assert abs(np.isin(may_end, law.starts).mean() - END) < 5 * np.sqrt(END / len(may_end))
    assert np.allclose(q[law.starts[1:]], END)
    goes_on = np.setdiff1d(may_end, law.starts)
    common, rare = goes_on[~dear[goes_on]], goes_on[dear[goes_on]]
    others = 512 - COMMON
    assert np.allclose(q[common] * COMMON * 1.0 + q[rare][:1] * others + END, 1.0)
    ids, counts = np.unique(shard, return_counts=True)
    most = ids[np.argsort(-counts)][: COMMON + 1]
    assert np.isin(np.unique(law.tokens[within & ~dear]), most).all()


def test_an_alphabet_of_few_ids_has_no_such_stream():
    assert uneven_stream(wide(0, FEWEST_IDS - 1), 0, 4096) is None
