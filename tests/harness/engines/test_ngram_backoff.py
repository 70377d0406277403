"""The n-gram mixture: normalised, exact, deaf to the target."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from harness.engines.ngram_backoff import NgramBackoff, NgramSettings, ngram_backoff
from harness.errors import ContractError

VOCAB = 7


class Neural:
    """A model whose row depends on the last token only."""

    vocab_size = VOCAB
    adapted = 0

    def __init__(self) -> None:
        weights = torch.randn(VOCAB, VOCAB, generator=torch.Generator().manual_seed(0))
        self.rows = torch.log_softmax(2 * weights, -1)

    def log_probs(self, windows: Tensor, scored: int) -> Tensor:
        return self.rows[windows[:, -scored:]]

    def adapt(self, tokens: Tensor) -> None:
        self.adapted += len(tokens)


def twin(neural: Neural, chunks: list[list[int]], context: list[int]) -> list[float]:
    """The distribution of #1185 after a context, in plain Python: probabilities of all tokens."""
    p = neural.rows[context[-1]].double().exp().tolist()
    entropy = -sum(x * math.log(x) for x in p)
    alpha = 0.08 + 0.65 / (1 + math.exp(-2 * (entropy - 3.5)))
    for n in range(min(8, len(context)), 0, -1):
        seen = [
            chunk[i]
            for chunk in chunks
            for i in range(n, len(chunk))
            if chunk[i - n : i] == context[-n:]
        ]
        if seen:
            counted = [(seen.count(v) + 1) / (len(seen) + VOCAB) for v in range(VOCAB)]
            return [(1 - alpha) * a + alpha * b for a, b in zip(p, counted, strict=True)]
    return p


tokens = st.integers(0, VOCAB - 1)


@given(
    st.lists(st.lists(tokens, min_size=2, max_size=40), max_size=4),
    st.lists(tokens, min_size=3, max_size=20),
    st.data(),
)
def test_rows_are_the_recipe_of_1185_and_sum_to_one(
    chunks: list[list[int]], window: list[int], data: st.DataObject
) -> None:
    """Each row equals the plain formula over all chunks learned before it, and weighs one."""
    scored = data.draw(st.integers(1, len(window)))
    engine = NgramBackoff(Neural(), NgramSettings())
    for chunk in chunks:
        engine.adapt(torch.tensor(chunk))
    assert engine.neural.adapted == sum(map(len, chunks))
    p = engine.log_probs(torch.tensor([window, window[::-1]]), scored).exp()
    torch.testing.assert_close(p.sum(-1), torch.ones(2, scored), atol=1e-6, rtol=0)
    for b, row in enumerate([window, window[::-1]]):
        for i in range(scored):
            expected = twin(engine.neural, chunks, row[: len(row) - scored + i + 1])
            np.testing.assert_allclose(p[b, i].numpy(), expected, atol=2e-6)


def test_contexts_cross_chunks_only_where_declared() -> None:
    """The token before a chunk is known again; what stood before that only `across_chunks`."""
    window = torch.tensor([[6, 2, 3]])  # 2 3 -> 4 spans the edge of the chunks

    def learned(across_chunks: bool) -> bool:
        engine = NgramBackoff(Neural(), NgramSettings(across_chunks=across_chunks, min_order=3))
        engine.adapt(torch.tensor([1, 2, 3]))
        engine.adapt(torch.tensor([3, 4, 5]))
        return not torch.equal(engine.log_probs(window, 1), engine.neural.log_probs(window, 1))

    assert learned(across_chunks=True)
    assert not learned(across_chunks=False)


@pytest.mark.parametrize(
    "wrong",
    [{"over": "nothing"}, {"min_order": 1}, {"min_order": 5, "max_order": 4}, {"order": 9}],
)
def test_settings_without_a_meaning_are_refused(wrong: dict) -> None:
    """The message names the setting."""
    with pytest.raises(ContractError, match=next(iter(wrong))):
        ngram_backoff(SimpleNamespace(settings=wrong))
