"""Causal grouped-query attention with partial RoPE, QK-norm and a learned gain per query head.

As in the record family (#549): RMS-normalised queries and keys, rotation of the first `rope_dims`
dimensions of each head only (`rope`), and a gain of 1.5 on the queries, which the normalisation
made unit. What a config may add, in this order:

    value embedding    the token's identity, added to the values (`value_embedding`)
    value residual     a learned mix of the first layer's values and these (#754, #1185)
    exclusive (XSA)    from each head's output, its component along its own position's value goes:
                       what a token says of itself the residual stream holds already
    gated attention    each head's output times a sigmoid of the layer's input, nearly open at first

Guarantees: position t sees tokens 0..t and nothing else; no tensor made here is kept.
Does not cover: key-value caches, padding, packed documents.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_model.banks import PerMatrix, damp_gradient, n_uses
from reference_model.config import ModelConfig
from reference_model.rope import Angles, rotate

GATE_BIAS_INIT = 4.0  # #549: sigmoid(4) = 0.98


class Attention(nn.Module):
    """What attention learns beside its matrices, which come from the banks at each call."""

    def __init__(self, config: ModelConfig, layer: int):
        super().__init__()
        self.n_head, self.n_kv_head = config.n_head, config.n_kv_head
        self.head_dim = config.head_dim
        # The last of those with matrices of their own: a shared layer attends as its first use.
        self.exclusive = layer >= config.n_banked - config.xsa_last_n
        self.n_uses = n_uses(config, layer)
        self.q_gain = nn.Parameter(torch.full((config.n_head,), float(config.q_gain_init)))
        self.attn_gate = None
        if config.gated_attention:
            self.attn_gate = nn.Linear(config.model_dim, config.n_head)
            nn.init.zeros_(self.attn_gate.weight)
            nn.init.constant_(self.attn_gate.bias, GATE_BIAS_INIT)

    def forward(
        self,
        x: Tensor,  # (B, T, D), normalised
        weights: PerMatrix[Tensor],
        angles: Angles,
        value_embedding: Tensor | None = None,  # (B, T, D_kv)
        first_values: Tensor | None = None,  # (B, T, H_kv, head_dim), of the first layer
        value_mix: Tensor | None = None,  # (2,): shares of first_values and of these
    ) -> tuple[Tensor, Tensor]:
        """The branch's output (B, T, D); and its values (B, T, H_kv, head_dim), before any mix."""
        q, k, v = self._project(x, weights)
        if value_embedding is not None:
            v = v + value_embedding.unflatten(-1, (self.n_kv_head, self.head_dim))
        own_values = v
        if first_values is not None and value_mix is not None:
            shares = value_mix.to(v.dtype)
            v = shares[0] * first_values + shares[1] * v
        gain = damp_gradient(self.q_gain, self.n_uses).to(q.dtype)
        q = rotate(F.rms_norm(q, (self.head_dim,)), angles) * gain[:, None]
        k = rotate(F.rms_norm(k, (self.head_dim,)), angles)
        y = attend(q, k, v)
        if self.exclusive:
            y = without_own_value(y, v)
        if self.attn_gate is not None:
            weight, bias = (p.to(x.dtype) for p in (self.attn_gate.weight, self.attn_gate.bias))
            y = y * F.linear(x, weight, bias).sigmoid()[..., None]
        return F.linear(y.flatten(2), weights.out), own_values

    def _project(self, x: Tensor, weights: PerMatrix[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (B, T, H, head_dim), keys and values (B, T, H_kv, head_dim), by one product."""
        joined = F.linear(x, torch.cat([weights.q, weights.k, weights.v]))
        heads = joined.unflatten(-1, (-1, self.head_dim))
        q, k, v = heads.split([self.n_head, self.n_kv_head, self.n_kv_head], dim=2)
        return q, k, v


def attend(
    q: Tensor,  # (B, T, H, head_dim)
    k: Tensor,  # (B, T, H_kv, head_dim)
    v: Tensor,  # (B, T, H_kv, head_dim)
) -> Tensor:
    """(B, T, H, head_dim): each position over itself and those before it."""
    # The flash kernels share keys among query heads by themselves; those for wider floats do not,
    # and what serves them there would hold all T x T scores.
    grouped = q.dtype in (torch.bfloat16, torch.float16)
    if not grouped:
        k, v = (h.repeat_interleave(q.size(2) // k.size(2), dim=2) for h in (k, v))
    q, k, v = (h.transpose(1, 2) for h in (q, k, v))
    y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)
    return y.transpose(1, 2)


def without_own_value(
    y: Tensor,  # (B, T, H, head_dim), each head's output
    v: Tensor,  # (B, T, H_kv, head_dim), the values it was made of
) -> Tensor:
    """The same, orthogonal to the value of its own position and group."""
    groups = y.unflatten(2, (v.size(2), -1))  # (B, T, H_kv, H / H_kv, head_dim)
    unit = F.normalize(v, dim=-1)[..., None, :]
    return (groups - (groups * unit).sum(-1, keepdim=True) * unit).flatten(2, 3)
