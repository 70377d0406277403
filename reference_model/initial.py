"""How a matrix starts: orthogonal (#549), or uniform as torch.nn.Linear has it.

Orthogonal maps keep every direction's length, so a deep stack neither grows nor fades at the start,
and Muon's updates, orthogonal themselves, meet a matrix of their own kind.
Does not cover: which parts start at zero instead; their modules say so.
"""

import math

import torch
from torch import Tensor, nn

from reference_model.config import ModelConfig


@torch.no_grad()
def matrix_(
    weight: Tensor,  # (M, N), or (K, M, N): K matrices
    config: ModelConfig,
) -> None:
    """In place. On the meta device nothing: it has no content, and QR would still take a second."""
    if weight.is_meta:
        return
    for matrix in weight if weight.ndim == 3 else [weight]:
        if config.orthogonal_init:
            nn.init.orthogonal_(matrix)
        else:
            bound = 1.0 / math.sqrt(matrix.size(-1))
            nn.init.uniform_(matrix, -bound, bound)
