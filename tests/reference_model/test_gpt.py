"""The whole model: against its slow twin in every configuration, causal, compilable, freezable."""

import math
from dataclasses import replace

import pytest
import torch
import torch._dynamo
from hypothesis import given
from hypothesis import strategies as st
from slow_model import slow_logits, slow_loss

from reference_model.config import ModelConfig
from reference_model.gpt import GPT

PLAIN = ModelConfig(
    vocab_size=61,
    seq_len=24,
    n_layer=3,
    model_dim=32,
    mlp_dim=48,
    n_head=4,
    n_kv_head=2,
    rope_dims=4,
)
FULL = replace(
    PLAIN,
    n_layer=5,
    rope_ntk_len=8,
    xsa_last_n=2,
    value_residual=True,
    gated_attention=True,
    value_embed_layers=(0, 3),
    value_embed_dim=8,
    bigram_buckets=30,
    bigram_dim=8,
    smear_gate=True,
    smear_boundary_id=1,
    skips=True,
    mtp_heads=2,
)
# Each technique alone, and what they do to each other.
CONFIGS = {
    "plain": PLAIN,
    "relu2": replace(PLAIN, mlp_activation="relu2"),
    "xsa": replace(PLAIN, xsa_last_n=2),
    "xsa in all": replace(PLAIN, xsa_last_n=3),
    "rope in all dimensions": replace(PLAIN, rope_dims=8),
    "stretched rope": replace(PLAIN, rope_ntk_len=4),
    "no residual scale": replace(PLAIN, residual_scale=False),
    "value residual": replace(PLAIN, value_residual=True),
    "gated attention": replace(PLAIN, gated_attention=True),
    "value embeddings": replace(PLAIN, value_embed_layers=(0, 2), value_embed_dim=8),
    "bigrams": replace(PLAIN, bigram_buckets=30, bigram_dim=8),
    "smear": replace(PLAIN, smear_gate=True),
    "masked smear": replace(PLAIN, smear_gate=True, smear_boundary_id=1),
    "skips, odd": replace(PLAIN, skips=True),
    "skips, even": replace(PLAIN, skips=True, n_layer=4),
    "shared layers": replace(PLAIN, n_layer=5, n_unique_layers=3, xsa_last_n=1, skips=True),
    "untied": replace(PLAIN, tied_embeddings=False),
    "low cap": replace(PLAIN, logit_softcap=1.5),
    "multi-token": replace(PLAIN, mtp_heads=2, mtp_weight=0.3),
    "full": FULL,
}


def trained(config: ModelConfig) -> GPT:
    """As if trained: branches that start at zero, and every scale, moved away from the start."""
    torch.manual_seed(0)
    model = GPT(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


@pytest.fixture(scope="module")
def model() -> GPT:
    return trained(FULL).eval()


def tokens(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(FULL.vocab_size, shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", CONFIGS)
def test_the_model_equals_its_twin(name):
    """Every technique, alone and together, in float64: logits, and the loss that is trained."""
    config = CONFIGS[name]
    model = trained(config).double().train()
    weights = {n: p.detach() for n, p in model.named_parameters()}
    x, y = tokens(1, 9), tokens(1, 9, seed=1)
    x[0, 4] = 1  # a document's start

    with torch.no_grad():
        expected = slow_logits(config, weights, x[0].tolist())
        torch.testing.assert_close(model.forward_logits(x)[0], expected, rtol=0, atol=1e-10)
        loss = slow_loss(config, weights, x[0].tolist(), y[0].tolist())
    assert model(x, y).item() == pytest.approx(loss, abs=1e-10)


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
    after[0, 0] = (before[0, 0] + 1) % FULL.vocab_size

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
    """forward(x, y) == mean of -log softmax(forward_logits(x))[y], in nats; in evaluation alone."""
    x, y = tokens(2, 24), tokens(2, 24, seed=1)
    log_probs = model.forward_logits(x).double().log_softmax(-1)
    expected = -log_probs.gather(-1, y[..., None]).mean()

    assert model(x, y).item() == pytest.approx(expected.item(), abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.inference_mode()
def test_logits_are_float32_and_capped(dtype):
    model = trained(FULL)
    model.compute_dtype = dtype
    logits = model.forward_logits(tokens(2, 7))

    assert logits.shape == (2, 7, FULL.vocab_size) and logits.dtype == torch.float32
    assert logits.abs().max() <= FULL.logit_softcap


def test_bfloat16_is_the_same_model_a_little_blurred():
    """Activations in bfloat16, weights and gradients in float32, the loss within a hundredth."""
    model, x, y = trained(FULL), tokens(4, 24), tokens(4, 24, seed=1)
    exact = model(x, y).item()
    model.compute_dtype = torch.bfloat16
    loss = model(x, y)
    loss.backward()

    assert loss.item() == pytest.approx(exact, rel=0.01)
    assert loss.item() != exact
    assert {p.grad.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_new_model_knows_nothing(name):
    """Zero output projections and a small embedding: the first loss is ln V to a percent."""
    torch.manual_seed(0)
    config = CONFIGS[name]
    expected = math.log(config.vocab_size) * (1 + config.mtp_weight * (config.mtp_heads > 0))

    assert GPT(config)(tokens(4, 24), tokens(4, 24, seed=1)).item() == pytest.approx(
        expected, rel=0.01
    )


@pytest.mark.parametrize("name", CONFIGS)
def test_every_parameter_learns(name):
    """No part is there for show: after a step away from the start, each gets a gradient."""
    model = trained(CONFIGS[name])
    model(tokens(2, 24), tokens(2, 24, seed=1)).backward()

    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("name", CONFIGS)
def test_a_new_model_can_start(name):
    """Within four steps of plain descent from the start, some gradient has reached every tensor."""
    torch.manual_seed(0)
    model = GPT(CONFIGS[name])
    idle = {n for n, _ in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    for step in range(4):
        optimizer.zero_grad()
        model(tokens(4, 24, seed=step), tokens(4, 24, seed=step + 10)).backward()
        optimizer.step()
        idle -= {n for n, p in model.named_parameters() if p.grad.any()}

    assert idle == set()


def test_scoring_first_does_not_spoil_training(model):
    """Nothing made under inference_mode is kept: score-first adaptation needs this order."""
    with torch.inference_mode():
        model(tokens(1, 24), tokens(1, 24))
    model(tokens(1, 24), tokens(1, 24)).backward()

    shipped = [p for _, p in model.shipped_parameters()]
    assert all(parameter.grad is not None for parameter in shipped)
    model.zero_grad(set_to_none=True)


@torch.inference_mode()
def test_windows_may_be_longer_than_in_training(model):
    """seq_len is what the model was trained at, not a limit."""
    assert model.forward_logits(tokens(1, 3 * FULL.seq_len)).isfinite().all()


@pytest.mark.parametrize("method", ["forward", "forward_logits"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_compiles_as_one_graph(method, dtype):
    """No graph break, with everything on: a break would cost a GPU its fusion at each of them."""
    torch._dynamo.reset()
    model = trained(FULL)
    model.compute_dtype = dtype
    inputs = (tokens(2, 24), tokens(2, 24, seed=1))[: 2 if method == "forward" else 1]
    explained = torch._dynamo.explain(getattr(model, method))(*inputs)

    assert (explained.graph_count, explained.graph_break_count) == (1, 0)


def test_compiled_it_is_the_same_model():
    """Loss and gradients through the compiler's tracing, bit for bit where nothing is fused."""
    torch._dynamo.reset()
    model, x, y = trained(FULL), tokens(2, 24), tokens(2, 24, seed=1)
    model(x, y).backward()
    expected = {n: p.grad for n, p in model.named_parameters()}
    model.zero_grad(set_to_none=True)
    torch.compile(model, backend="aot_eager", fullgraph=True, dynamic=False)(x, y).backward()

    for name, p in model.named_parameters():
        torch.testing.assert_close(p.grad, expected[name], rtol=1e-5, atol=1e-7, msg=name)


def test_frozen_blocks_do_not_learn():
    """The first two layers' rows of the banks get zeros, their scales nothing; the rest learns."""
    model = trained(replace(FULL, value_embed_layers=(3,)))
    model.freeze_blocks(2)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    optimizer = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad], lr=0.1, momentum=0.9
    )
    for step in range(2):
        optimizer.zero_grad()
        model(tokens(2, 24, seed=step), tokens(2, 24, seed=step + 1)).backward()
        optimizer.step()

    for name, p in model.named_parameters():
        if name.endswith("_bank"):
            layers = torch.arange(len(p)) % FULL.n_layer
            still = (p == before[name]).flatten(1).all(dim=1)
            assert torch.equal(still, layers < 2), name
        else:
            assert torch.equal(p, before[name]) == name.startswith(("blocks.0.", "blocks.1.")), name

    model.freeze_blocks(0)
    model(tokens(2, 24), tokens(2, 24, seed=1)).backward()
    assert all(p.requires_grad and p.grad.any() for p in model.parameters())


def test_freezing_changes_no_score(model):
    x = tokens(1, 24)
    with torch.inference_mode():
        expected = model.forward_logits(x)
        model.freeze_blocks(3)
        frozen = model.forward_logits(x)
    model.freeze_blocks(0)

    assert torch.equal(frozen, expected)


def test_what_is_shipped_is_the_model_without_its_training_heads():
    """shipped_parameters are exactly the parameters of a model of the shipped config."""
    model = trained(FULL)
    shipped = dict(model.shipped_parameters())
    bare = GPT(FULL.shipped)
    bare.load_state_dict(shipped, strict=True)

    assert FULL.shipped.mtp_heads == 0
    assert torch.equal(bare.forward_logits(tokens(1, 9)), model.forward_logits(tokens(1, 9)))


def test_the_record_has_its_size():
    """26,928,220 parameters: what the logs of #549 say of its 1,536 bigram buckets."""
    config = ModelConfig(
        vocab_size=1024, seq_len=2048, n_layer=11, n_head=8, n_kv_head=4, model_dim=512,
        mlp_dim=1536, rope_dims=16, rope_ntk_len=1024, xsa_last_n=4, value_embed_layers=(9, 10),
        bigram_buckets=1536, smear_gate=True, skips=True,
    )  # fmt: skip
    with torch.device("meta"):
        record, shared = GPT(config), GPT(replace(config, bigram_buckets=2048, n_unique_layers=10))

    assert record.n_parameters == 26_928_220
    assert shared.n_parameters == 24_634_452  # the log of #537
