import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reference_model.batches import Batches
from reference_model.data.byte_count import ByteTable
from reference_model.data.errors import DataError
from reference_model.gpt import GPT
from reference_model.loss_eval import evaluate
from reference_model.presets import NANO

STREAM = np.arange(1_000, dtype=np.uint16)  # a token is its own position


@given(seed=st.integers(0, 99), step=st.integers(0, 500), size=st.integers(1, 30))
def test_a_batch_is_windows_of_the_stream_and_their_successors(seed, step, size):
    inputs, targets = Batches(STREAM, size, 16, seed).at(step)

    assert inputs.shape == targets.shape == (size, 16) and inputs.dtype == torch.int64
    assert torch.equal(targets, inputs + 1)
    assert torch.equal(inputs, inputs[:, :1] + torch.arange(16))


@given(step=st.integers(0, 60), cuts=st.lists(st.integers(0, 12), max_size=3))
def test_rows_are_parts_of_the_batch(step, cuts):
    """However processes share a step, together they see its windows, in order."""
    batches, edges = Batches(STREAM, 12, 16, seed=3), sorted([0, *cuts, 12])
    parts = [batches.at(step, range(a, b)) for a, b in itertools.pairwise(edges) if b > a]

    for n in range(2):
        assert torch.equal(torch.cat([part[n] for part in parts]), batches.at(step)[n])


@given(seed=st.integers(0, 99))
def test_an_epoch_visits_each_window_once(seed):
    """No token is trained on twice before all windows had their turn."""
    batches = Batches(STREAM, batch_size=1, seq_len=16, seed=seed)
    seen = torch.cat([batches.at(step)[0].flatten() for step in range(batches.n_windows)])

    assert len(seen.unique()) == len(seen) > len(STREAM) - 3 * 16


def test_a_step_is_a_function_of_seed_and_number():
    """No history: that is what makes a resumed run the same run."""
    first, again = Batches(STREAM, 4, 16, seed=5), Batches(STREAM, 4, 16, seed=5)
    first.at(0)

    assert torch.equal(first.at(77)[0], again.at(77)[0])
    assert not torch.equal(first.at(77)[0], first.at(78)[0])
    assert not torch.equal(first.at(77)[0], Batches(STREAM, 4, 16, seed=6).at(77)[0])


@pytest.mark.parametrize("n_tokens", [0, 16, 31])
def test_too_little_text_is_said_so(n_tokens):
    with pytest.raises(DataError, match="too few"):
        Batches(STREAM[:n_tokens], 1, 16, seed=0)


@pytest.mark.parametrize("n_tokens", [2, 40, 65, 64 * 40 + 1, 64 * 40 + 30])
def test_each_token_after_the_first_is_scored_once(tokenizer, n_tokens):
    """A model that knows nothing pays ln V a token, whatever the length leaves over."""
    model = GPT(NANO.config)
    torch.nn.init.zeros_(model.tok_emb.weight)
    tokens = np.full(n_tokens, 300)
    tokens[0] = 1
    table = ByteTable.from_tokenizer(tokenizer)
    loss = evaluate(model, tokens, table)

    assert loss.n_tokens == n_tokens - 1
    assert loss.nats == pytest.approx((n_tokens - 1) * math.log(NANO.config.vocab_size))
    assert loss.n_bytes == table.count(tokens[:-1], tokens[1:]).sum()
    assert loss.bits_per_byte == pytest.approx(loss.nats / math.log(2) / loss.n_bytes)
