import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from reference_model.config import ModelConfig
from reference_model.gpt import GPT, MLP

CONFIG = ModelConfig(
    vocab_size=61,
    seq_len=24,
    n_layer=3,
    model_dim=32,
    mlp_dim=48,
    n_head=4,
    n_kv_head=2,
    rope_dims=4,
)


@pytest.fixture(scope="module")
def model() -> GPT:
    """As if trained: branches that start at zero, and every scale, moved away from the start."""
    torch.manual_seed(0)
    model = GPT(CONFIG)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def tokens(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(CONFIG.vocab_size, shape, generator=torch.Generator().manual_seed(seed))


@given(cut=st.integers(1, 23), seed=st.integers(0, 2**31))
@torch.inference_mode()
def test_the_past_does_not_know_the_future(model, cut, seed):
    """Changing every token from `cut` on moves no logit before it, not by one bit."""
    before = tokens(1, 24)
    after = before.clone()
    after[:, cut:] = tokens(1, 24 - cut, seed=seed)

    moved = (model.forward_logits(before) - model.forward_logits(after)).abs().amax(dim=(0, 2))
    assert moved[:cut].max() == 0


@torch.inference_mode()
def test_each_token_reaches_all_later_logits(model):
    """The other half of causality: what may be seen is seen (else the test above is idle)."""
    before = tokens(1, 24)
    after = before.clone()
    after[0, 0] = (before[0, 0] + 1) % CONFIG.vocab_size

    moved = (model.forward_logits(before) - model.forward_logits(after)).abs().amax(dim=(0, 2))
    assert moved.min() > 1e-4


@torch.inference_mode()
def test_rows_of_a_batch_do_not_meet(model):
    """A window's logits do not depend on which windows are scored beside it."""
    batch = tokens(5, 24)
    alone = torch.cat([model.forward_logits(row[None]) for row in batch])

    torch.testing.assert_close(model.forward_logits(batch), alone, rtol=0, atol=1e-4)


@torch.inference_mode()
def test_the_loss_is_the_mean_negative_log_likelihood(model):
    """forward(x, y) == mean of -log softmax(forward_logits(x))[y], in nats."""
    x, y = tokens(2, 24), tokens(2, 24, seed=1)
    log_probs = model.forward_logits(x).double().log_softmax(-1)
    expected = -log_probs.gather(-1, y[..., None]).mean()

    assert model(x, y).item() == pytest.approx(expected.item(), abs=1e-5)


@torch.inference_mode()
def test_logits_are_float32_and_capped(model):
    logits = model.forward_logits(tokens(2, 7))

    assert logits.shape == (2, 7, CONFIG.vocab_size) and logits.dtype == torch.float32
    assert logits.abs().max() <= CONFIG.logit_softcap


def test_a_new_model_knows_nothing():
    """Zero output projections and a small embedding: the first loss is ln V to a percent."""
    torch.manual_seed(0)

    assert GPT(CONFIG)(tokens(4, 24), tokens(4, 24, seed=1)).item() == pytest.approx(
        math.log(CONFIG.vocab_size), rel=0.01
    )


def test_scoring_first_does_not_spoil_training(model):
    """Nothing made under inference_mode is kept: score-first adaptation needs this order."""
    with torch.inference_mode():
        model(tokens(1, 24), tokens(1, 24))
    model(tokens(1, 24), tokens(1, 24)).backward()

    assert all(parameter.grad is not None for parameter in model.parameters())
    model.zero_grad(set_to_none=True)


@torch.inference_mode()
def test_windows_may_be_longer_than_in_training(model):
    """seq_len is what the model was trained at, not a limit."""
    assert model.forward_logits(tokens(1, 3 * CONFIG.seq_len)).isfinite().all()


@torch.inference_mode()
def test_the_mlp_squares_a_leaky_relu():
    """Negative inputs come through at a quarter, with a positive sign."""
    mlp = MLP(ModelConfig(model_dim=4, mlp_dim=4, n_head=1, n_kv_head=1, rope_dims=2))
    mlp.c_fc.weight.copy_(torch.eye(4))
    mlp.c_proj.weight.copy_(torch.eye(4))

    assert mlp(torch.tensor([2.0, -2.0, 0.0, 1.0])).tolist() == [4.0, 1.0, 0.0, 1.0]


@torch.inference_mode()
def test_the_block_is_its_formula(model):
    """Input mix, then two branches read through a norm and 1 / sqrt(layer + 1)."""
    block = model.blocks[2]
    x, x0 = torch.randn(2, 1, 5, CONFIG.model_dim)
    y = block.resid_mix[0] * x + block.resid_mix[1] * x0
    y = y + block.attn_scale * block.attn(F.rms_norm(y, (32,)) / math.sqrt(3))
    y = y + block.mlp_scale * block.mlp(F.rms_norm(y, (32,)) / math.sqrt(3))

    torch.testing.assert_close(block(x, x0), y)
