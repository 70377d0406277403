"""Causal grouped-query attention with partial RoPE, QK-norm and a learned gain per query head.

As in the record family (#549): RMS-normalised queries and keys, rotation of the first `rope_dims`
dimensions of each head only, and a gain of 1.5 on the queries, which the normalisation made unit.

Guarantees: position t sees tokens 0..t and nothing else. Angles are computed in each call and kept
nowhere, so a model that was scored under inference_mode can be trained afterwards.
Does not cover: key-value caches, padding, packed documents.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_model.config import ModelConfig


class Attention(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.n_head, self.n_kv_head = config.n_head, config.n_kv_head
        self.head_dim, self.rope_dims = config.head_dim, config.rope_dims
        self.rope_base = config.rope_base
        kv_dim = config.n_kv_head * config.head_dim
        self.c_q = nn.Linear(config.model_dim, config.model_dim, bias=False)
        self.c_k = nn.Linear(config.model_dim, kv_dim, bias=False)
        self.c_v = nn.Linear(config.model_dim, kv_dim, bias=False)
        self.c_proj = nn.Linear(config.model_dim, config.model_dim, bias=False)
        self.q_gain = nn.Parameter(torch.full((config.n_head,), float(config.q_gain_init)))

    def forward(
        self,
        x: Tensor,  # (B, T, D), normalised
    ) -> Tensor:  # (B, T, D)
        B, T, D = x.shape
        q = self.c_q(x).view(B, T, self.n_head, self.head_dim)
        k = self.c_k(x).view(B, T, self.n_kv_head, self.head_dim)
        v = self.c_v(x).view(B, T, self.n_kv_head, self.head_dim)
        cos, sin = rope_angles(T, self.rope_dims, self.rope_base, x.device)
        q = rotate(F.rms_norm(q, (self.head_dim,)), cos, sin) * self.q_gain[:, None].to(q.dtype)
        k = rotate(F.rms_norm(k, (self.head_dim,)), cos, sin)
        k, v = (h.repeat_interleave(self.n_head // self.n_kv_head, dim=2) for h in (k, v))
        q, k, v = (h.transpose(1, 2) for h in (q, k, v))  # (B, H, T, head_dim)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).reshape(B, T, D))


def rope_angles(
    n_positions: int,
    rope_dims: int,
    base: float,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Cosine and sine of position times frequency, each (T, 1, rope_dims / 2) float32."""
    pairs = torch.arange(0, rope_dims, 2, dtype=torch.float32, device=device)
    positions = torch.arange(n_positions, dtype=torch.float32, device=device)
    angles = torch.outer(positions, base ** (-pairs / rope_dims))[:, None, :]
    return angles.cos(), angles.sin()


def rotate(
    x: Tensor,  # (B, T, H, head_dim)
    cos: Tensor,  # (T, 1, rope_dims / 2)
    sin: Tensor,  # (T, 1, rope_dims / 2)
) -> Tensor:
    """Turn the pairs (i, i + rope_dims / 2) by their angle; dimensions past rope_dims stay."""
    half = cos.size(-1)
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    a, b, rest = x.split([half, half, x.size(-1) - 2 * half], dim=-1)
    return torch.cat([a * cos + b * sin, b * cos - a * sin, rest], dim=-1)
