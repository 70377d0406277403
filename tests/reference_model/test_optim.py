import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reference_model.config import ModelConfig
from reference_model.ema import EMA
from reference_model.gpt import GPT
from reference_model.muon import Muon, orthogonalize
from reference_model.optim import lr_scale, make_optimizers, set_lr
from reference_model.presets import NANO, PRESETS

shapes = st.tuples(st.integers(2, 40), st.integers(2, 40))


@given(shape=shapes, scale=st.floats(1e-6, 1e6), seed=st.integers(0, 999))
def test_five_steps_make_an_update_nearly_orthogonal(shape, scale, seed):
    """Singular values end near one whatever the scale was; the singular vectors stay.

    Values below about 1 % of the largest need more than five steps, so the matrix gets a floor.
    """
    torch.manual_seed(seed)
    U, S, Vh = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    S = S.clamp(min=0.05 * S[0].item())
    result = orthogonalize(scale * U @ torch.diag(S) @ Vh)

    values = torch.linalg.svdvals(result)
    assert values.min() > 0.6 and values.max() < 1.3
    in_old_basis = U.mT @ result @ Vh.mT
    off_diagonal = in_old_basis - torch.diag(torch.diagonal(in_old_basis))
    assert off_diagonal.abs().max() < 1e-3


def test_a_bank_is_its_matrices():
    """Stacked matrices are made orthogonal one by one."""
    torch.manual_seed(0)
    bank = torch.randn(3, 8, 20)

    torch.testing.assert_close(orthogonalize(bank), torch.stack([orthogonalize(m) for m in bank]))


def test_a_zero_gradient_is_no_update():
    assert torch.equal(orthogonalize(torch.zeros(4, 6)), torch.zeros(4, 6))


def test_muon_is_nesterov_momentum_made_orthogonal():
    """Two steps against the formula, on two matrices of one shape (which are stepped together)."""
    torch.manual_seed(0)
    params = [torch.nn.Parameter(torch.randn(12, 6)) for _ in range(2)]
    expected = [p.detach().clone() for p in params]
    grads = torch.randn(2, 2, 12, 6)
    buffers = torch.zeros(2, 12, 6)
    muon = Muon(params, lr=0.1, momentum=0.9, weight_decay=0.5)
    for step in range(2):
        for n, p in enumerate(params):
            p.grad = grads[step, n]
            buffers[n] = 0.9 * buffers[n] + grads[step, n]
            update = orthogonalize(grads[step, n] + 0.9 * buffers[n])
            expected[n] = (1 - 0.1 * 0.5) * expected[n] - 0.1 * 2**0.5 * update
        muon.step()

    torch.testing.assert_close([p.detach() for p in params], expected)


def test_every_parameter_has_one_optimizer():
    """Muon has the blocks' matrices, AdamW the rest; scalars are not decayed."""
    model = GPT(NANO.config)
    muon, adamw = make_optimizers(model, NANO.optim)
    owned = [p for o in (muon, adamw) for g in o.param_groups for p in g["params"]]

    assert sorted(map(id, owned)) == sorted(map(id, model.parameters()))
    assert {p.ndim for g in muon.param_groups for p in g["params"]} == {3}
    assert sum(len(g["params"]) for g in muon.param_groups) == 6 * NANO.config.n_layer
    assert [g["weight_decay"] > 0 for g in adamw.param_groups] == [True, False]


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_the_rate_rises_stays_and_falls(preset):
    """Never above the peak, never zero, and at the peak in between."""
    n = preset.n_steps
    scales = [lr_scale(step, n, preset.optim) for step in range(n)]
    top = scales.index(1.0)

    assert min(scales) > 0 and max(scales) == 1.0
    assert scales[:top] == sorted(scales[:top])
    assert scales[top:] == sorted(scales[top:], reverse=True)
    assert scales[-1] == pytest.approx(1 / (n * preset.optim.warmdown_fraction))


def test_the_rate_is_set_relative_to_each_groups_peak():
    optimizers = make_optimizers(GPT(NANO.config), NANO.optim)
    set_lr(optimizers, 0.5)
    set_lr(optimizers, 0.5)

    assert optimizers[0].param_groups[0]["lr"] == 0.5 * NANO.optim.matrix_lr
    assert optimizers[1].param_groups[0]["lr"] == 0.5 * NANO.optim.embed_lr


@given(decay=st.floats(0, 0.999), n_updates=st.integers(0, 12))
def test_the_average_is_its_closed_form(decay, n_updates):
    """After n updates: d^n w_0 + (1 - d) sum of d^(n - i) w_i."""
    model = GPT(ModelConfig(vocab_size=3, n_layer=1, model_dim=4, mlp_dim=4, n_head=1, n_kv_head=1, rope_dims=2))  # fmt: skip  # noqa: E501
    weight = model.tok_emb.weight
    ema, expected = EMA(model, decay), decay**n_updates * weight.detach().double()
    for i in range(1, n_updates + 1):
        torch.nn.init.normal_(weight)
        ema.update(model)
        expected = expected + (1 - decay) * decay ** (n_updates - i) * weight.detach().double()

    torch.testing.assert_close(ema.weights["tok_emb.weight"].double(), expected, rtol=0, atol=1e-5)
