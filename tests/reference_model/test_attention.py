"""Attention and rotation against their slow twins, and the laws that they are there for."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from slow_model import slow_attention, slow_values, turned

from reference_model.attention import Attention, attend, without_own_value
from reference_model.banks import PerMatrix
from reference_model.config import ModelConfig
from reference_model.rope import Angles, rope_angles, rotate

CONFIG = ModelConfig(model_dim=32, n_head=4, n_kv_head=2, rope_dims=4, n_layer=1, seq_len=16)
CPU = torch.device("cpu")


def angles(n: int, config: ModelConfig, dtype: torch.dtype = torch.float64) -> Angles:
    return rope_angles(n, config.rope_dims, config.rope_base, config.rope_ntk_len, CPU, dtype)


def random_matrices(config: ModelConfig) -> PerMatrix[torch.Tensor]:
    d, kv, m = config.model_dim, config.kv_dim, config.mlp_dim
    shapes = PerMatrix(q=(d, d), k=(kv, d), v=(kv, d), out=(d, d), up=(m, d), down=(d, m))
    return PerMatrix(*(0.3 * torch.randn(shape, dtype=torch.float64) for shape in shapes))


@pytest.mark.parametrize("extra", [False, True], ids=["own values", "mixed values"])
@pytest.mark.parametrize("gated", [False, True], ids=["open", "gated"])
@pytest.mark.parametrize("exclusive", [0, 1], ids=["plain", "exclusive"])
@pytest.mark.parametrize("n_kv_head", [1, 2, 4])
@torch.no_grad()
def test_attention_equals_its_twin(n_kv_head, exclusive, gated, extra):
    """Grouped heads, partial rotation, QK-norm, gain, XSA, gate, value embedding and residual."""
    torch.manual_seed(0)
    config = replace(CONFIG, n_kv_head=n_kv_head, xsa_last_n=exclusive, gated_attention=gated)
    attention, matrices = Attention(config, 0).double(), random_matrices(config)
    for p in attention.parameters():
        p.uniform_(-1.0, 2.0)
    x = torch.randn(2, 7, config.model_dim, dtype=torch.float64)
    mixed = {}
    if extra:
        mixed = {
            "value_embedding": torch.randn(2, 7, config.kv_dim, dtype=torch.float64),
            "first_values": torch.randn(2, 7, n_kv_head, config.head_dim, dtype=torch.float64),
            "value_mix": torch.tensor([0.3, 0.9], dtype=torch.float64),
        }

    y, values = attention(x, matrices, angles(7, config), **mixed)
    for b in range(2):
        own = slow_values(
            list(x[b]), matrices.v, list(mixed["value_embedding"][b]) if extra else None
        )
        torch.testing.assert_close(values[b].flatten(1), torch.stack(own), rtol=0, atol=1e-10)
        if extra:
            first = mixed["first_values"][b].flatten(1)
            own = [0.3 * v0 + 0.9 * v for v0, v in zip(first, own, strict=True)]
        weights = dict(attention.named_parameters())
        rows = slow_attention(config, weights, matrices._asdict(), list(x[b]), own, bool(exclusive))
        torch.testing.assert_close(y[b], torch.stack(rows), rtol=0, atol=1e-10)


@torch.no_grad()
def test_exclusive_attention_says_nothing_along_its_own_value():
    """Each head's output is orthogonal to the value of its position, and else unchanged."""
    torch.manual_seed(0)
    y = torch.randn(2, 5, 6, 8, dtype=torch.float64)
    v = torch.randn(2, 5, 3, 8, dtype=torch.float64)
    z, own = without_own_value(y, v), v.repeat_interleave(2, dim=2)

    assert (z * own).sum(-1).abs().max() < 1e-12
    removed = y - z  # along the value: |<removed, v>| = |removed| |v|
    along = (removed * own).sum(-1).abs()
    torch.testing.assert_close(along, removed.norm(dim=-1) * own.norm(dim=-1))


@torch.no_grad()
def test_the_first_position_has_nothing_but_itself():
    """With XSA the first position's attention is zero: it sees its own value alone."""
    torch.manual_seed(0)
    config = replace(CONFIG, xsa_last_n=1)
    x = torch.randn(1, 4, config.model_dim, dtype=torch.float64)
    y, _ = Attention(config, 0).double()(x, random_matrices(config), angles(4, config))

    assert y[0, 0].abs().max() < 1e-12 < y[0, 1].abs().max()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@torch.no_grad()
def test_half_precision_groups_heads_alike(dtype):
    """The grouped call that the GPU kernels get gives what the expanded one gives."""
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 6, 4, 8), torch.randn(2, 6, 2, 8), torch.randn(2, 6, 2, 8)
    half = attend(q.to(dtype), k.to(dtype), v.to(dtype))

    torch.testing.assert_close(half.float(), attend(q, k, v), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("ntk_len", [0, 20, 50, 100])
def test_rotation_equals_its_twin_and_spares_the_rest(ntk_len):
    torch.manual_seed(0)
    config = ModelConfig(model_dim=12, n_head=1, n_kv_head=1, rope_dims=8, rope_ntk_len=ntk_len)
    x = torch.randn(1, 50, 3, 12, dtype=torch.float64)
    y = rotate(x, angles(50, config))

    expected = [
        [turned(head.tolist(), t, 50, config) for head in heads] for t, heads in enumerate(x[0])
    ]
    torch.testing.assert_close(y[0], torch.tensor(expected, dtype=x.dtype), rtol=0, atol=1e-12)
    assert torch.equal(y[..., 8:], x[..., 8:])
    assert torch.equal(y[:, 0], x[:, 0])


@given(shift=st.integers(1, 90), ntk_len=st.sampled_from([0, 30]))
def test_rotated_products_depend_on_distance_only(shift, ntk_len):
    """The point of RoPE: <R_s q, R_t k> is a function of t - s."""
    torch.manual_seed(0)
    config = ModelConfig(model_dim=8, n_head=1, n_kv_head=1, rope_dims=8, rope_ntk_len=ntk_len)
    q, k = torch.randn(2, 8, dtype=torch.float64)
    Q, K = (rotate(v.expand(1, 100, 1, 8), angles(100, config))[0, :, 0] for v in (q, k))

    near, far = Q[:10] @ K[:10].T, Q[shift:][:10] @ K[shift:][:10].T
    torch.testing.assert_close(far, near[: len(far), : len(far)], rtol=0, atol=1e-9)
    assert (Q[0] @ K[7] - Q[0] @ K[8]).abs() > 1e-3


def test_a_stretched_base_turns_the_slowest_pair_no_further():
    """NTK: at twice ntk_len the last pair ends at the angle it had at ntk_len, or short of it."""
    still = rope_angles(1_024, 16, 10_000.0, 1_024, CPU, torch.float64)
    stretched = rope_angles(2_048, 16, 10_000.0, 1_024, CPU, torch.float64)
    end, far_end = (a.sin[-1, 0, -1].asin() for a in (still, stretched))

    torch.testing.assert_close(far_end, end, rtol=2e-3, atol=0)
