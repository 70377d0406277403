"""Recurrences of state-space and delta-rule layers, step by step in plain PyTorch.

Replaces: `selective_scan_fn` (mamba_ssm), `causal_conv1d_fn`, and fla's gated delta rule.
The numbers stay right: each is the recurrence that its kernel documents as its definition (the
kernels only order the same sums in chunks), computed in float32.
Not covered: initial and final states other than the delta rule's, sequence indices, variable-length
batches: these end the run by name. Slow: one step a token.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.inside.shim.unserved import unserved


def causal_conv1d_fn(
    x: Tensor,  # (batch, channels, tokens)
    weight: Tensor,  # (channels, width)
    bias: Tensor | None = None,
    activation: str | None = None,
    **options: Any,
) -> Tensor:
    """Each channel over its own last `width` tokens."""
    _refuse("causal_conv1d_fn", options)
    padded = F.pad(x.float(), (weight.size(1) - 1, 0))
    offset = None if bias is None else bias.float()
    out = F.conv1d(padded, weight.float()[:, None], offset, groups=weight.size(0))
    return (out if activation is None else F.silu(out)).to(x.dtype)


def selective_scan_fn(
    u: Tensor,  # (batch, channels, tokens)
    delta: Tensor,  # (batch, channels, tokens)
    A: Tensor,  # (channels, states)
    B: Tensor,  # (channels, states) | (batch, states, tokens) | (batch, groups, states, tokens)
    C: Tensor,  # as B
    D: Tensor | None = None,  # (channels,)
    z: Tensor | None = None,  # (batch, channels, tokens), gate before SiLU
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
    return_last_state: bool = False,
) -> Any:
    """h_t = exp(delta_t A) h_(t-1) + delta_t B_t u_t;  y_t = C_t h_t + D u_t."""
    inputs, step = u.float(), delta.float()
    if delta_bias is not None:
        step = step + delta_bias.float()[:, None]
    if delta_softplus:
        step = F.softplus(step)
    into, out_of = (_by_channel(part.float(), u) for part in (B, C))
    state = inputs.new_zeros(u.size(0), u.size(1), A.size(1))
    outputs = []
    for t in range(u.size(2)):
        now = step[:, :, t, None]
        state = torch.exp(now * A.float()) * state + now * into[..., t] * inputs[:, :, t, None]
        outputs.append((state * out_of[..., t]).sum(-1))
    y = torch.stack(outputs, dim=2)
    y = y if D is None else y + inputs * D.float()[:, None]
    y = (y if z is None else y * F.silu(z.float())).to(u.dtype)
    return (y, state) if return_last_state else y


def _by_channel(part: Tensor, u: Tensor) -> Tensor:
    """(batch, channels, states, tokens), whatever is shared."""
    if part.dim() == 2:
        return part[None, :, :, None].expand(u.size(0), -1, -1, u.size(2))
    grouped = part[:, None] if part.dim() == 3 else part
    return grouped.repeat_interleave(u.size(1) // grouped.size(1), dim=1)


def gated_delta_rule(
    q: Tensor,  # (batch, tokens, heads, keys)
    k: Tensor,
    v: Tensor,  # (batch, tokens, heads, values)
    g: Tensor,  # (batch, tokens, heads), log of the decay
    beta: Tensor,  # (batch, tokens, heads), how much is written
    scale: float | None = None,
    initial_state: Tensor | None = None,  # (batch, heads, keys, values)
    output_final_state: bool = False,
    use_qk_l2norm_in_kernel: bool = False,
    **options: Any,
) -> tuple[Tensor, Tensor | None]:
    """S_t = e^g S_(t-1) + k beta (v - (e^g S_(t-1))^T k)^T;  o_t = scale S_t^T q_t."""
    options.pop("chunk_size", None)
    _refuse("gated_delta_rule", options)
    dtype = v.dtype
    q, k, v, g, beta = (part.float() for part in (q, k, v, g, beta))
    if use_qk_l2norm_in_kernel:
        q, k = (part * torch.rsqrt(part.square().sum(-1, keepdim=True) + 1e-6) for part in (q, k))
    q = q * (q.size(-1) ** -0.5 if scale is None else scale)
    state = q.new_zeros(q.size(0), q.size(2), q.size(3), v.size(3))
    state = state if initial_state is None else initial_state.float()
    outputs = []
    for t in range(q.size(1)):
        state = state * g[:, t, :, None, None].exp()
        known = torch.einsum("bhkv,bhk->bhv", state, k[:, t])
        written = beta[:, t, :, None] * (v[:, t] - known)
        state = state + torch.einsum("bhk,bhv->bhkv", k[:, t], written)
        outputs.append(torch.einsum("bhkv,bhk->bhv", state, q[:, t]))
    return torch.stack(outputs, dim=1).to(dtype), state if output_final_state else None


def _refuse(function: str, options: dict[str, Any]) -> None:
    for name, value in options.items():
        if value is not None and value is not False:
            unserved(f"{function}({name}=...)")()
