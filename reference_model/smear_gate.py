"""SmearGate: each position takes a learned share of its predecessor's embedding, per dimension.

The first position of a window has no predecessor and takes from zero, as #549 has it. With a
boundary token the same holds for the first position of every document: nothing of document n then
reaches document n + 1 this way (rule CAUSAL-6; #1851, #1855 have the mask, #549 has none).

Guarantees: position t depends on t - 1 and t only. Does not cover: attention, which crosses
documents either way.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_model.config import ModelConfig


class SmearGate(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.boundary_id = config.smear_boundary_id
        self.gate = nn.Parameter(torch.zeros(config.model_dim))  # sigmoid(0): half and half, #549

    def forward(
        self,
        x: Tensor,  # (B, T, D), embeddings
        tokens: Tensor,  # (B, T) int64 ids
    ) -> Tensor:  # (B, T, D)
        share = self.gate.to(x.dtype).sigmoid()
        before = F.pad(x, (0, 0, 1, -1))  # one position later; zero comes first, the last one falls
        if self.boundary_id >= 0:
            before = before * (tokens != self.boundary_id)[..., None]
        return (1 - share) * x + share * before
