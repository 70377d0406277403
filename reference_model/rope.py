"""Rotary position: pairs of each head's first dimensions turn by position times frequency.

Partial, as the record family has it (16 of 64 dimensions, #549): what lies past `rope_dims` sees no
position. Windows longer than `ntk_len` tokens stretch the base ("NTK-aware": by the length's excess
to the power d / (d - 2)), so that the slowest pair turns no further than it did at ntk_len; #549
trains at 2,048 tokens with ntk_len 1,024 and so always runs stretched.

Guarantees: products of turned vectors depend on distances only; angles are made in each call and
kept nowhere, so a model that was scored under inference_mode can be trained afterwards.
Does not cover: positions that do not start at zero.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Angles(NamedTuple):
    cos: Tensor  # (T, 1, rope_dims / 2)
    sin: Tensor  # (T, 1, rope_dims / 2)


def rope_angles(
    n_positions: int,
    rope_dims: int,
    base: float,
    ntk_len: int,  # 0: the base stays as it is
    device: torch.device,
    dtype: torch.dtype,  # computed in float64 for float64, in float32 otherwise, then cast
) -> Angles:
    if 0 < ntk_len < n_positions:
        base = base * (n_positions / ntk_len) ** (rope_dims / (rope_dims - 2))
    wide = torch.float64 if dtype is torch.float64 else torch.float32
    pairs = torch.arange(0, rope_dims, 2, dtype=wide, device=device)
    positions = torch.arange(n_positions, dtype=wide, device=device)
    # The quotient as #549 writes it: at position 2,047 the last bit of a frequency is 1e-4 radians.
    angles = torch.outer(positions, 1.0 / base ** (pairs / rope_dims))[:, None, :]
    return Angles(angles.cos().to(dtype), angles.sin().to(dtype))


def rotate(
    x: Tensor,  # (B, T, H, head_dim)
    angles: Angles,
) -> Tensor:
    """Turn the pairs (i, i + rope_dims / 2) by their angle; dimensions past rope_dims stay."""
    cos, sin = angles
    half = cos.size(-1)
    a, b, rest = x.split([half, half, x.size(-1) - 2 * half], dim=-1)
    return torch.cat([a * cos + b * sin, b * cos - a * sin, rest], dim=-1)
