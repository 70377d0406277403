import copy
import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reference_model.gpt import GPT
from reference_model.muon import Muon, orthogonalize
from reference_model.optim import Optimizers, OptimSettings, group_names
from reference_model.presets import NANO, PRESETS

shapes = st.tuples(st.integers(2, 40), st.integers(2, 40))
SETTINGS = NANO.optim


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
    """Two steps against the formula, on a bank and on a matrix."""
    torch.manual_seed(0)
    params = [torch.nn.Parameter(torch.randn(shape)) for shape in ((3, 12, 6), (6, 12))]
    expected = [p.detach().clone() for p in params]
    buffers = [torch.zeros_like(p) for p in expected]
    muon = Muon(params, lr=0.1, momentum=0.9, weight_decay=0.5)
    for _ in range(2):
        for n, p in enumerate(params):
            p.grad = torch.randn_like(p)
            buffers[n] = 0.9 * buffers[n] + p.grad
            update = orthogonalize(p.grad + 0.9 * buffers[n])
            tall = 2**0.5 if n == 0 else 1.0
            expected[n] = (1 - 0.1 * 0.5) * expected[n] - 0.1 * tall * update
        muon.reduce()
        muon.step()
        muon.finish()

    torch.testing.assert_close([p.detach() for p in params], expected)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_every_parameter_has_one_optimizer(preset):
    """Muon has the banks, AdamW the rest, for every recipe's model; tables learn at their rate."""
    with torch.device("meta"):
        named = dict(GPT(preset.config).named_parameters())
    groups = group_names(named)

    assert sorted(itertools.chain(*groups.values())) == sorted(named)
    assert all(named[name].ndim == 3 for name in groups["banks"]) and len(groups["banks"]) == 4
    tables = {name for name in named if "emb" in name and named[name].ndim == 2}
    expected = {name for name in tables if not name.endswith("proj.weight")}
    assert set(groups["embeddings"]) == expected
    assert groups["head"] == []


def optimizers(model, **changes) -> Optimizers:
    fields = SETTINGS.__dict__ | changes
    return Optimizers(model, OptimSettings(**fields))


def test_the_rates_are_relative_to_each_groups_peak():
    """Setting a scale twice is setting it once; decays stay with their groups."""
    optimizer = optimizers(GPT(NANO.config), embed_decay=0.1, scalar_decay=0.2)
    optimizer.set(0.5, 0.9)
    optimizer.set(0.5, 0.9)

    muon, (embeddings, scalars) = optimizer.muon.param_groups[0], optimizer.adamw.param_groups
    assert muon["lr"] == 0.5 * SETTINGS.matrix_lr and muon["momentum"] == 0.9
    assert embeddings["lr"] == 0.5 * SETTINGS.embed_lr and embeddings["weight_decay"] == 0.1
    assert scalars["lr"] == 0.5 * SETTINGS.scalar_lr and scalars["weight_decay"] == 0.2


@pytest.mark.parametrize("clip", [0.0, 0.01, 0.3, 1e6])
def test_clipping_is_torchs(clip):
    """One step with the clip inside equals one with torch's clip before it; 0 never clips."""
    torch.manual_seed(0)
    model, twin = GPT(NANO.config), GPT(NANO.config)
    twin.load_state_dict(model.state_dict())
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        p.grad = torch.randn_like(p)
        q.grad = p.grad.clone()
    optimizers(model, grad_clip=clip).step()
    if clip:
        torch.nn.utils.clip_grad_norm_(twin.parameters(), clip)
    optimizers(twin, grad_clip=0.0).step()

    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5)


def test_state_comes_back():
    """Optimisers loaded from a state take the very next step of those that saved it."""
    torch.manual_seed(0)
    model, twin = GPT(NANO.config), GPT(NANO.config)
    first, second = optimizers(model), optimizers(twin)
    grads = [torch.randn_like(p) for p in model.parameters()]
    for n in range(2):
        for p, grad in zip(model.parameters(), grads, strict=True):
            p.grad = grad * (n + 1)
        first.step()
        if n == 0:
            twin.load_state_dict(model.state_dict())
            second.load(copy.deepcopy(first.state()))  # a checkpoint is a copy
    for q, grad in zip(twin.parameters(), grads, strict=True):
        q.grad = grad * 2
    second.step()

    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(p, q)
