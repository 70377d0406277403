"""Reading shards in order, against the record family's loader written out plainly."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reference_model.data.errors import DataError
from reference_model.prefetch import Prefetch
from reference_model.shard_stream import SPANS, ShardStream

sizes = st.lists(st.integers(0, 60), min_size=1, max_size=4).filter(lambda s: sum(s) >= 40)


def shards(sizes: list[int]) -> tuple[np.ndarray, ...]:
    tokens = np.arange(sum(sizes), dtype=np.uint16)  # a token is its own position
    return tuple(np.split(tokens, np.cumsum(sizes)[:-1]))


def as_549(sizes: list[int], n_steps: int, per_span: int, seq_len: int) -> list[np.ndarray]:
    """Each step's rows (B, T + 1): take span after span, one token more each, round and round."""
    n_tokens, position, steps = sum(sizes), 0, []
    for _ in range(n_steps):
        rows = []
        for _ in range(SPANS):
            span = np.arange(position, position + per_span * seq_len + 1) % n_tokens
            position += per_span * seq_len + 1
            rows += [span[n * seq_len : (n + 1) * seq_len + 1] for n in range(per_span)]
        steps.append(np.stack(rows))
    return steps


@given(sizes=sizes, per_span=st.integers(1, 3), seq_len=st.integers(1, 9))
def test_the_windows_are_the_record_s(sizes, per_span, seq_len):
    """Over the ends of shards, empty ones and the end of all, step after step."""
    stream = ShardStream(shards(sizes), SPANS * per_span, seq_len)
    for step, rows in enumerate(as_549(sizes, 4, per_span, seq_len)):
        inputs, targets = stream.at(step)
        assert torch.equal(inputs, torch.from_numpy(rows[:, :-1]))
        assert torch.equal(targets, torch.from_numpy(rows[:, 1:]))


@given(sizes=sizes, step=st.integers(0, 9), n_ranks=st.sampled_from([1, 2, 4, 8]))
def test_processes_share_a_step(sizes, step, n_ranks):
    """Rows of all processes, one after the other, are the step's."""
    stream, size = ShardStream(shards(sizes), 16, 3), 16 // n_ranks
    parts = [stream.at(step, range(r * size, (r + 1) * size))[0] for r in range(n_ranks)]

    assert torch.equal(torch.cat(parts), stream.at(step)[0])


@given(steps=st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_what_is_fetched_ahead_is_what_is_asked_for(steps):
    """In any order of asking: the source's windows of that very step."""
    stream = ShardStream(shards([50, 50]), 8, 4)
    windows = Prefetch(stream, range(2, 6), torch.device("cpu"))
    for step in steps:
        for found, expected in zip(windows.at(step), stream.at(step, range(2, 6)), strict=True):
            assert torch.equal(found, expected)
    windows.close()


@pytest.mark.parametrize(
    ("batch_size", "n_tokens", "complaint"), [(12, 999, "divide by 8"), (8, 4, "fewer than a span")]
)
def test_what_cannot_be_cut_is_refused(batch_size, n_tokens, complaint):
    with pytest.raises(DataError, match=complaint):
        ShardStream(shards([n_tokens]), batch_size, 8)
