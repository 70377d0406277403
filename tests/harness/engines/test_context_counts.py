"""Exact tables and the counts of contexts, against dictionaries."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.engines import context_counts, exact_table
from harness.engines.context_counts import BREAK, ContextCounts
from harness.engines.exact_table import ExactTable


class DictionaryCounts:
    """The slow twin: one dictionary of dictionaries, filled token by token."""

    def __init__(self, min_order: int, max_order: int) -> None:
        self.lengths = range(max_order - 1, min_order - 2, -1)
        self.counts: dict[tuple, dict[int, int]] = defaultdict(lambda: defaultdict(int))

    def learn(self, past: list[int], tokens: list[int]) -> None:
        """Counts `tokens`, whose contexts may reach into `past`."""
        stream = past + tokens
        for i in range(len(past), len(stream)):
            for n in self.lengths:
                if n <= i:
                    self.counts[tuple(stream[i - n : i])][stream[i]] += 1

    def match(self, context: list[int]) -> dict[int, int]:
        """Followers of the longest known context, empty where none is known."""
        for n in self.lengths:
            if n <= len(context) and tuple(context[-n:]) in self.counts:
                return self.counts[tuple(context[-n:])]
        return {}


def same(counts: ContextCounts, twin: DictionaryCounts, contexts: list[list[int]]) -> None:
    """Matches, totals, counts and followers agree on every context."""
    width = max(len(c) for c in contexts)
    rows = np.array([[BREAK] * (width - len(c)) + c for c in contexts], np.int64)
    nodes = counts.match(rows)
    found: list[dict[int, int]] = [{} for _ in contexts]
    for row, token, count in zip(*counts.followers(nodes), strict=True):
        assert token not in found[row]
        found[row][token] = count
    expected = [twin.match(c) for c in contexts]
    assert found == expected
    known = nodes != 0
    assert known.tolist() == [bool(e) for e in expected]
    totals = counts.total(nodes[known]).tolist()
    assert totals == [sum(e.values()) for e in expected if e]
    for token in range(6):
        asked = counts.count(nodes, np.full(len(nodes), token)).tolist()
        assert asked == [e.get(token, 0) for e in expected]


tokens = st.integers(0, 3)  # few of them: contexts of every length repeat
streams = st.lists(st.lists(tokens, min_size=1, max_size=30), min_size=1, max_size=5)
orders = st.tuples(st.integers(2, 5), st.integers(0, 4)).map(lambda o: (o[0], o[0] + o[1]))


@given(streams, orders, st.booleans(), st.integers(1, 9))
def test_counts_are_those_of_a_dictionary_an_order(
    chunks: list[list[int]], order: tuple[int, int], joined: bool, block: int
) -> None:
    """Whatever the chunks, the orders, and how many positions are learned together."""
    counts, twin = ContextCounts(*order), DictionaryCounts(*order)
    past: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context_counts, "BLOCK", block)
        for i, chunk in enumerate(chunks):
            overlap = [past[-1]] if joined and i else []  # the referee hands it over again
            counts.learn(np.array(overlap + chunk, np.int64), joined)
            twin.learn(past if joined else [], chunk)
            past += chunk
            stops = range(1, len(past) + 1)
            same(counts, twin, [past[max(0, stop - order[1]) : stop] for stop in stops])
    same(counts, twin, [[5], [0, 5], [5, 0], [0, 0, 0]])


def test_a_context_seen_once_answers_with_its_one_follower_at_any_depth() -> None:
    """A leaf was not opened, and yet the longest context of eight is known."""
    counts = ContextCounts(2, 9)
    counts.learn(np.arange(12))
    (node,) = counts.match(np.array([[2, 3, 4, 5, 6, 7, 8, 9]]))
    row, token, count = counts.followers(np.array([node]))
    assert (row.tolist(), token.tolist(), count.tolist()) == ([0], [10], [1])


def test_memory_is_what_the_arrays_hold() -> None:
    """`n_bytes` counts every array; 200 bytes a token are kept on a stream that hardly repeats."""
    rng = np.random.default_rng(0)
    counts, n = ContextCounts(2, 9), 100_000
    counts.learn(rng.integers(0, 1024, n))
    held = [v for v in vars(counts).values() if isinstance(v, np.ndarray)]
    for table in (counts._contexts, counts._pairs):
        held += [v for v in vars(table).values() if isinstance(v, np.ndarray)]
    assert counts.n_bytes == sum(a.nbytes for a in held)
    assert counts.n_bytes / n < 200


@given(st.lists(st.lists(st.integers(0, 1 << 62), max_size=40), max_size=6))
def test_a_table_numbers_each_key_once(batches: list[list[int]]) -> None:
    """Equal keys share a number, others never do, and numbers run from 1 without a gap."""
    table = ExactTable()
    given_: dict[int, int] = {}
    for batch in batches:
        keys = np.array(batch, np.int64)
        assert table.find(keys).tolist() == [given_.get(k, 0) for k in batch]
        ids = table.enter(keys)
        given_.update(zip(batch, ids.tolist(), strict=True))
        assert ids.tolist() == [given_[k] for k in batch]
        assert sorted(given_.values()) == list(range(1, table.n))
        assert table.key(ids).tolist() == batch


def test_colliding_hashes_decide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """All keys begin their search in one slot, through growth too; each keeps its own number."""
    monkeypatch.setattr(ExactTable, "_home", lambda self, keys: np.zeros(len(keys), np.int64))
    monkeypatch.setattr(exact_table, "FIRST_SLOTS", 8)
    table, keys = ExactTable(), np.arange(300) * 7919
    ids = np.concatenate([table.enter(keys[i : i + 50]) for i in range(0, 300, 50)])
    assert sorted(ids.tolist()) == list(range(1, 301))
    assert table.find(keys).tolist() == ids.tolist()
    assert not table.find(keys + 1).any()
