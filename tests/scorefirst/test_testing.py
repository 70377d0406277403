"""`scorefirst.testing`: what contestants write into tests of their own, on plain modules."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sentencepiece as spm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from harness import UsageError
from reference_model.data.byte_count import ByteTable
from reference_model.data.corpus import embedded_data
from scorefirst.testing import (
    NotShown,
    assert_bytes,
    assert_causal,
    assert_normalised,
    assert_score_first,
)

V, LENGTH = 48, 40


class Looking(nn.Module):
    """Adds to each token's row that of the token `back` places before it; below zero: later."""

    def __init__(self, back: int, silent: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.own, self.other = (nn.Parameter(torch.randn(V, V)) for _ in range(2))
        self.gate = nn.Parameter(torch.zeros(1) if silent else torch.ones(1))
        self.back = back

    def forward(self, x: Tensor) -> Tensor:
        moved = torch.roll(self.other[x], self.back, dims=1)
        if self.back > 0:
            moved = F.pad(moved[:, self.back :], (0, 0, self.back, 0))
        return self.own[x] + self.gate * moved


class OverRows(nn.Module):
    """A scale over the whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        rows = F.one_hot(x, V).float().cumsum(dim=1)
        return rows / x.float().std()


class Droppy(Looking):
    """Draws anew in every call, whatever the seed is."""

    def forward(self, x: Tensor) -> Tensor:
        noise = torch.randn(1, generator=torch.Generator().manual_seed(torch.seed() % 2**31))
        return super().forward(x) + 5 * noise * F.one_hot(x, V)


@settings(max_examples=6, deadline=None)
@given(back=st.integers(1, 12), silent=st.booleans())
def test_looking_back_is_causal(back: int, silent: bool) -> None:
    """At any distance, behind a layer that passes nothing on yet, with logits in a tuple or not."""
    model = Looking(back, silent)
    assert_causal(model, V, LENGTH)
    if not silent:
        assert_causal(lambda x: (model(x), None), V, LENGTH, rows=1, cuts=1)


@settings(max_examples=6, deadline=None)
@given(ahead=st.integers(1, 12), silent=st.booleans())
def test_looking_ahead_is_caught_at_any_distance(ahead: int, silent: bool) -> None:
    """By one token or by twelve, also where the layer that looks is still silent."""
    with pytest.raises(AssertionError, match=r"^CAUSAL-1: replacing the tokens from \d+ on"):
        assert_causal(Looking(-ahead, silent), V, LENGTH)


def test_a_counterexample_says_position_both_scores_and_cure() -> None:
    """What pytest shows is enough to mend the model."""
    with pytest.raises(AssertionError) as caught:
        assert_causal(Looking(-1), V, LENGTH)
    assert "position " in str(caught.value)
    assert " nats, then " in str(caught.value)
    assert "cure: mask attention" in str(caught.value)
    assert "scorefirst rules CAUSAL-1" in str(caught.value)
    assert not isinstance(caught.value, NotShown)


def test_a_scale_over_the_batch_is_caught() -> None:
    """The other rows of a batch are scored later."""
    with pytest.raises(AssertionError, match="and the other rows of the batch"):
        assert_causal(OverRows(), V, LENGTH)


def test_what_shows_nothing_is_no_pass_and_no_accusation() -> None:
    """Calls that do not repeat; a function that ignores what came before."""
    with pytest.raises(NotShown, match="cure: give it in evaluation mode"):
        assert_causal(Droppy(1), V, LENGTH)
    with pytest.raises(NotShown, match="moved nothing"):
        assert_causal(lambda x: torch.zeros(*x.shape, V), V, LENGTH)
    assert_causal(nn.Embedding(V, V), V, LENGTH)  # of a module, noise shows that it does ignore it
    with pytest.raises(UsageError, match=r"expected \(2, 40, 48\)"):
        assert_causal(lambda x: torch.zeros(len(x), 1, V), V, LENGTH)


def _cache(buckets: int) -> Callable[[Tensor], Tensor]:
    """Nats of the given tokens by hashed counts alone: each bucket is many tokens'."""

    def score(x: Tensor) -> Tensor:
        ours = (x * 7 + 3) % buckets
        seen = F.one_hot(ours, buckets).cumsum(dim=1) - F.one_hot(ours, buckets)
        hits = seen.gather(2, ours[..., None])[..., 0]
        return -torch.log((hits + 0.02) / (torch.arange(x.shape[1]) + 0.02 * V))

    return score


def test_a_distribution_may_weigh_less_and_never_more() -> None:
    """Whole rows, and scores of single tokens: colliding buckets give each their sum."""
    rows = Looking(1)
    assert_normalised(lambda x: torch.log_softmax(rows(x), -1), V, LENGTH)
    assert_normalised(lambda x: torch.log_softmax(rows(x), -1) - 0.1, V, LENGTH)
    assert_normalised(_cache(V), V, LENGTH)  # a bucket for each token
    with pytest.raises(AssertionError, match=r"position \d+: the probabilities .* sum to"):
        assert_normalised(lambda x: torch.log_softmax(rows(x), -1) + 0.01, V, LENGTH)
    with pytest.raises(AssertionError, match="NORM-1"):
        assert_normalised(_cache(4), V, LENGTH)
    with pytest.raises(NotShown):
        assert_normalised(lambda x: torch.full((*x.shape, V), torch.nan), V, LENGTH)


def _counting(tokens: np.ndarray, chunk: int, lag: int) -> np.ndarray:
    """Nats of a unigram count that has seen all chunks but the last `lag`; 1: score first."""
    counts, nats = np.full(V, 0.2), []
    for start in range(1, len(tokens), chunk):
        if lag == 0:
            np.add.at(counts, tokens[start : start + chunk], 3)
        nats.append(-np.log(counts[tokens[start : start + chunk]] / counts.sum()))
        if lag == 1:
            np.add.at(counts, tokens[start : start + chunk], 3)
    return np.concatenate(nats)


TOKENS = np.random.default_rng(0).integers(0, V, 257)


@settings(max_examples=6, deadline=None)
@given(chunk=st.integers(1, 64))
def test_scoring_first_passes_and_learning_first_is_caught(chunk: int) -> None:
    """For chunks of any size, of one token too, where no earlier score moves."""
    assert_score_first(lambda x: _counting(x, chunk, lag=1), TOKENS)
    with pytest.raises(AssertionError, match=r"ORDER-1|SOURCE-1") as caught:
        assert_score_first(lambda x: _counting(x, chunk, lag=0), TOKENS)
    assert "position " in str(caught.value)
    assert "cure: " in str(caught.value)
    assert not isinstance(caught.value, NotShown)


def test_a_second_pass_is_caught() -> None:
    """What it says is of all tokens."""
    with pytest.raises(AssertionError, match=r"ORDER-1: other tokens behind position \d+ changed"):
        assert_score_first(lambda x: _counting(np.concatenate([x, x[1:]]), 8, 1)[256:], TOKENS)


def test_another_order_of_scoring_is_said_and_stays_allowed() -> None:
    """Documents from the last to the first: a later place may have been scored before."""
    starts, order = np.arange(0, 256, 64), np.empty(256, int)
    turn = np.concatenate([np.arange(64 * d, 64 * d + 64) for d in reversed(range(4))])
    order[turn] = np.arange(256)

    def backwards(tokens: np.ndarray) -> np.ndarray:
        scored = np.empty(256)
        scored[turn] = _counting(np.concatenate([tokens[:1], tokens[1:][turn]]), 8, 1)
        return scored

    tokens = TOKENS.copy()
    tokens[starts] = 0
    assert_score_first(backwards, tokens, starts=starts.tolist(), order=order.tolist())
    with pytest.raises(AssertionError, match="order="):
        assert_score_first(backwards, tokens, starts=starts.tolist())


def test_state_that_is_kept_between_calls_accuses_nobody() -> None:
    """The second call starts where the first one ended."""
    counts = np.full(V, 0.2)

    def carried(tokens: Tensor) -> Tensor:
        np.add.at(counts, tokens.numpy(), 1)
        return torch.from_numpy(-np.log(counts[tokens[1:]] / counts.sum()))

    with pytest.raises(NotShown, match="start from the same weights"):
        assert_score_first(carried, torch.from_numpy(TOKENS))


@pytest.fixture(scope="module")
def tokenizer() -> Path:
    """Of the embedded data: 1,024 entries with bytes, spaces and control tokens."""
    return embedded_data().tokenizer


def test_bytes_by_the_rule_pass_and_what_counts_more_is_caught(tokenizer: Path) -> None:
    """Token by token or as a sum; fewer bytes hurt their author alone."""
    processor = spm.SentencePieceProcessor(model_file=str(tokenizer))
    table = ByteTable.from_tokenizer(processor)
    assert_bytes(table.count, tokenizer)
    assert_bytes(lambda before, ids: table.count(before, ids).sum(), processor)
    assert_bytes(lambda before, ids: torch.from_numpy(table.base[ids]), processor)
    spaced = table.base + table.leading_space
    for count in (lambda before, ids: spaced[ids], lambda before, ids: spaced[ids].sum()):
        with pytest.raises(AssertionError, match=r"id \d+ '▁.*: \d+ bytes counted, and \d+ by"):
            assert_bytes(count, tokenizer)
    with pytest.raises(UsageError, match="or their sum"):
        assert_bytes(lambda before, ids: ids[:3], tokenizer)
