"""The shim's scans are the recurrences of the kernels they stand for."""

import pytest
import torch
import torch.nn.functional as F

from harness.inside.shim import fla, scans
from harness.inside.shim.unserved import UnservedConstruct


def _normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_a_convolution_sees_the_past_only() -> None:
    """Token t is the weighted sum of tokens t-3..t of its own channel."""
    x, weight, bias = _normal(2, 3, 9), _normal(3, 4), _normal(3)
    out = scans.causal_conv1d_fn(x, weight, bias)
    expected = (x[:, :, 2:6] * weight).sum(-1) + bias
    torch.testing.assert_close(out[:, :, 5], expected)
    torch.testing.assert_close(out[:, :, 0], x[:, :, 0] * weight[:, 3] + bias)


def test_a_scan_without_memory_is_a_product() -> None:
    """With a decay that forgets at once, y_t = (C_t B_t delta_t + D) u_t, gated by SiLU of z."""
    u, delta, z = _normal(2, 4, 6), _normal(2, 4, 6).abs() + 1, _normal(2, 4, 7)[..., :6]
    B, C, D = _normal(2, 3, 6), _normal(2, 3, 6) + 1, _normal(4)
    out = scans.selective_scan_fn(u, delta, torch.full((4, 3), -1e9), B, C, D, z)
    inner = (B * C).sum(1)[:, None] * delta + D[:, None]
    torch.testing.assert_close(out, inner * u * F.silu(z))


def test_a_scan_that_never_forgets_is_a_running_sum() -> None:
    """With no decay, one state and B = C = 1, y is the cumulative sum of delta u."""
    u, delta = _normal(1, 2, 8), _normal(1, 2, 8)
    ones = torch.ones(1, 1, 8)
    out = scans.selective_scan_fn(u, delta, torch.zeros(2, 1), ones, ones)
    torch.testing.assert_close(out, (u * delta).cumsum(-1))


def test_the_delta_rule_overwrites_what_a_key_held() -> None:
    """Full strength, no decay: asking for a key gives the value last written under it."""
    keys = torch.eye(4)[torch.tensor([0, 1, 0, 2])][None, :, None]
    values = _normal(1, 4, 1, 5)
    asked = torch.eye(4)[torch.tensor([0, 1, 0, 1])][None, :, None]
    one, zero = torch.ones(1, 4, 1), torch.zeros(1, 4, 1)
    out, state = scans.gated_delta_rule(asked, keys, values, zero, one, scale=1.0)
    torch.testing.assert_close(out[0, :, 0], values[0, [0, 1, 2, 1], 0])
    assert state is None


def test_the_layer_is_causal_and_learns() -> None:
    """A later token moves no earlier output, and every parameter gets a gradient."""
    torch.manual_seed(0)
    layer = fla.GatedDeltaNet(hidden_size=16, head_dim=4, num_heads=2, expand_v=2)
    x = _normal(2, 6, 16)
    before = layer(x)[0]
    x[:, 4] += 1
    after = layer(x)[0]
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])
    after.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.parameters())


def test_what_is_not_computed_is_named() -> None:
    """Other layers and options end with their names."""
    with pytest.raises(UnservedConstruct, match="Mamba2"):
        fla.layers()["Mamba2"](hidden_size=16)
    with pytest.raises(UnservedConstruct, match="seq_idx"):
        scans.causal_conv1d_fn(_normal(1, 2, 3), _normal(2, 2), seq_idx=torch.zeros(1))
