"""The fast attention against a twin that is slow and obvious: loops, float64, no tensor tricks."""

import math

import pytest
import torch

from reference_model.attention import Attention, rope_angles, rotate
from reference_model.config import ConfigError, ModelConfig

CONFIG = ModelConfig(model_dim=32, n_head=4, n_kv_head=2, rope_dims=4, seq_len=16)


def slow_rotate(x: list[float], position: int, rope_dims: int, base: float) -> list[float]:
    """One head's vector, pair (i, i + rope_dims / 2) turned by position / base^(2i / rope_dims)."""
    turned, half = list(x), rope_dims // 2
    for i in range(half):
        angle = position * base ** (-2 * i / rope_dims)
        turned[i] = x[i] * math.cos(angle) + x[i + half] * math.sin(angle)
        turned[i + half] = x[i + half] * math.cos(angle) - x[i] * math.sin(angle)
    return turned


def slow_unit(x: torch.Tensor) -> torch.Tensor:
    return x / math.sqrt(sum(v * v for v in x.tolist()) / len(x) + torch.finfo(x.dtype).eps)


def slow_attention(attention: Attention, x: torch.Tensor) -> torch.Tensor:  # (T, D) float64
    """One head, one position, one predecessor at a time."""
    T, size, group = len(x), attention.head_dim, attention.n_head // attention.n_kv_head

    def heads(linear, t):
        return (linear.weight @ x[t]).split(size)

    def turned(vector, t):
        return torch.tensor(
            slow_rotate(slow_unit(vector).tolist(), t, attention.rope_dims, attention.rope_base),
            dtype=x.dtype,
        )

    rows = []
    for t in range(T):
        out = []
        for h in range(attention.n_head):
            q = turned(heads(attention.c_q, t)[h], t) * attention.q_gain[h]
            scores = [
                float(q @ turned(heads(attention.c_k, s)[h // group], s)) / math.sqrt(size)
                for s in range(t + 1)
            ]
            weights = torch.tensor(scores, dtype=x.dtype).softmax(0)
            values = torch.stack([heads(attention.c_v, s)[h // group] for s in range(t + 1)])
            out.append(weights @ values)
        rows.append(attention.c_proj.weight @ torch.cat(out))
    return torch.stack(rows)


def test_attention_equals_its_twin():
    """Grouped heads, partial rotation, QK-norm and gain, within the float32 of the angles."""
    torch.manual_seed(0)
    attention = Attention(CONFIG).double()
    torch.nn.init.uniform_(attention.q_gain, 0.5, 2.0)
    x = torch.randn(2, 9, CONFIG.model_dim, dtype=torch.float64)

    with torch.no_grad():
        expected = torch.stack([slow_attention(attention, row) for row in x])
        torch.testing.assert_close(attention(x), expected, rtol=0, atol=1e-6)


def test_rotation_equals_its_twin_and_spares_the_rest():
    torch.manual_seed(0)
    x = torch.randn(1, 50, 3, 12, dtype=torch.float64)
    turned = rotate(x, *rope_angles(50, 8, 10_000.0, torch.device("cpu")))

    expected = [
        [slow_rotate(head.tolist(), t, 8, 10_000.0) for head in heads]
        for t, heads in enumerate(x[0])
    ]
    torch.testing.assert_close(turned[0], torch.tensor(expected, dtype=x.dtype), rtol=0, atol=1e-5)
    assert torch.equal(turned[..., 8:], x[..., 8:])
    assert torch.equal(turned[:, 0], x[:, 0])


def test_rotated_products_depend_on_distance_only():
    """The point of RoPE: <R_s q, R_t k> is a function of t - s."""
    torch.manual_seed(0)
    q, k = torch.randn(2, 8, dtype=torch.float64)
    angles = rope_angles(100, 8, 10_000.0, torch.device("cpu"))
    Q, K = (rotate(v.expand(1, 100, 1, 8), *angles)[0, :, 0] for v in (q, k))

    near, far = (Q[:90] * K[7:97]).sum(-1), (Q[3:93] * K[10:100]).sum(-1)
    torch.testing.assert_close(near, far, rtol=0, atol=1e-5)
    assert (Q[0] @ K[7] - Q[0] @ K[8]).abs() > 1e-3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("vocab_size", 0), ("vocab_size", 70_000), ("n_layer", 10**9), ("model_dim", 33),
        ("n_kv_head", 3), ("rope_dims", 3), ("rope_dims", 10), ("n_head", 2.0), ("seq_len", True),
        ("logit_softcap", float("nan")), ("rope_base", -1.0), ("q_gain_init", "1"),
    ],
)  # fmt: skip
def test_an_impossible_shape_is_refused_by_field(field, value):
    """A config from a stranger's file cannot ask for nonsense, nor for all memory."""
    with pytest.raises(ConfigError, match=field):
        ModelConfig.from_dict(CONFIG.as_dict() | {field: value})


def test_unknown_fields_are_refused():
    with pytest.raises(ConfigError, match="n_banks"):
        ModelConfig.from_dict({"n_banks": 3})
