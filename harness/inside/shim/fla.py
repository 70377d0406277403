"""The layers of `fla` that records use, on the plain recurrences of `scans`.

Replaces: `fla.layers.GatedDeltaNet` and the operators under it.
The numbers stay right: parameters, their names and initial laws, and the forward pass follow fla
0.4: projections, short causal convolutions with SiLU, unit-norm queries and keys, the gated delta
rule, a gated RMS norm, the output projection.
Not covered: the other layers (GatedDeltaProduct, Mamba2, RWKV-7, ...), attention masks and caches:
these end the run by name.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.inside.shim.scans import causal_conv1d_fn, gated_delta_rule
from harness.inside.shim.unserved import unserved

_OTHER = ("GatedDeltaProduct", "Mamba2", "RWKV7Attention", "DeltaNet", "GatedLinearAttention")


def layers() -> dict[str, Any]:
    """What `fla.layers` holds."""
    others = {name: unserved(f"fla.layers.{name}") for name in _OTHER}
    return {"GatedDeltaNet": GatedDeltaNet, **others}


def operators() -> dict[str, Any]:
    """What `fla.ops.gated_delta_rule` holds, under all its names."""
    names = ("chunk", "fused_recurrent", "naive_chunk", "naive_recurrent")
    return {f"{name}_gated_delta_rule": gated_delta_rule for name in names}


class ShortConvolution(nn.Conv1d):
    """A causal convolution by channel; (batch, tokens, channels) in and out."""

    def __init__(self, channels: int, width: int, bias: bool) -> None:
        super().__init__(channels, channels, width, groups=channels, padding=width - 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight[:, 0].to(x.dtype)
        return causal_conv1d_fn(x.mT, weight, self.bias, activation="silu").mT


class GatedNorm(nn.Module):
    """RMS norm times SiLU of a gate."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor, gate: Tensor | None) -> Tensor:
        out = F.rms_norm(x.float(), (x.size(-1),), self.weight.float(), self.eps)
        return (out if gate is None else out * F.silu(gate.float())).to(x.dtype)


class GatedDeltaNet(nn.Module):
    """One layer; returns (output, None, None) as fla's do."""

    def __init__(
        self,
        hidden_size: int = 2048,
        expand_v: float = 2,
        head_dim: int = 256,
        num_heads: int = 6,
        num_v_heads: int | None = None,
        mode: str = "chunk",
        use_gate: bool = True,
        use_short_conv: bool = True,
        allow_neg_eigval: bool = False,
        conv_size: int = 4,
        conv_bias: bool = False,
        layer_idx: int | None = None,
        norm_eps: float = 1e-5,
        **_: Any,
    ) -> None:
        super().__init__()
        self.num_heads, self.num_v_heads = num_heads, num_v_heads or num_heads
        self.head_dim, self.head_v_dim = head_dim, int(head_dim * expand_v)
        self.allow_neg_eigval, self.layer_idx, self.mode = allow_neg_eigval, layer_idx, mode
        keys, values = num_heads * head_dim, self.num_v_heads * self.head_v_dim
        self.q_proj = nn.Linear(hidden_size, keys, bias=False)
        self.k_proj = nn.Linear(hidden_size, keys, bias=False)
        self.v_proj = nn.Linear(hidden_size, values, bias=False)
        self.a_proj = nn.Linear(hidden_size, self.num_v_heads, bias=False)
        self.b_proj = nn.Linear(hidden_size, self.num_v_heads, bias=False)
        self._decay()
        self.use_short_conv, self.use_gate = use_short_conv, use_gate
        if use_short_conv:
            self.q_conv1d = ShortConvolution(keys, conv_size, conv_bias)
            self.k_conv1d = ShortConvolution(keys, conv_size, conv_bias)
            self.v_conv1d = ShortConvolution(values, conv_size, conv_bias)
        if use_gate:
            self.g_proj = nn.Linear(hidden_size, values, bias=False)
        self.o_norm = GatedNorm(self.head_v_dim, norm_eps)
        self.o_proj = nn.Linear(values, hidden_size, bias=False)

    def _decay(self) -> None:
        """Decay rates uniform in (0, 16), time steps log-uniform in (0.001, 0.1)."""
        rate = torch.empty(self.num_v_heads).uniform_(1e-4, 16)
        low, high = math.log(0.001), math.log(0.1)
        step = torch.exp(torch.rand(self.num_v_heads) * (high - low) + low).clamp(min=1e-4)
        self.A_log = nn.Parameter(rate.log())
        self.dt_bias = nn.Parameter(step + torch.log(-torch.expm1(-step)))

    def forward(self, hidden_states: Tensor, *_: Any, **options: Any) -> tuple[Tensor, None, None]:
        for name in ("attention_mask", "past_key_values", "cu_seqlens"):
            if options.get(name) is not None:
                unserved(f"fla.layers.GatedDeltaNet({name}=...)")()
        x = hidden_states
        q, k, v = (self._projected(x, name) for name in "qkv")
        beta = self.b_proj(x).sigmoid() * (2.0 if self.allow_neg_eigval else 1.0)
        decay = -self.A_log.float().exp() * F.softplus(self.a_proj(x).float() + self.dt_bias)
        out, _state = gated_delta_rule(q, k, v, decay, beta, use_qk_l2norm_in_kernel=True)
        gate = self.g_proj(x).view(out.shape) if self.use_gate else None
        mixed: Tensor = self.o_proj(self.o_norm(out, gate).flatten(-2))
        return mixed, None, None

    def _projected(self, x: Tensor, name: str) -> Tensor:
        """(batch, tokens, heads, size)."""
        projected: Tensor = getattr(self, f"{name}_proj")(x)
        if self.use_short_conv:
            projected = getattr(self, f"{name}_conv1d")(projected)
        else:
            projected = F.silu(projected)
        size = self.head_v_dim if name == "v" else self.head_dim
        heads = projected.view(*projected.shape[:-1], -1, size)
        return heads.repeat_interleave(self.num_v_heads // heads.size(2), dim=2)
