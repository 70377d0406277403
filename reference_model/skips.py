"""U-Net skips: each late layer also reads what the early layer that mirrors it wrote.

The first half of the layers (rounded down) push their outputs; the others pop one each before they
run, the latest first, weighted per dimension. With an odd number of layers the last one pops none.

    0 1 2 3 4 | 5 6 7 8 9 10     5 reads 4, 6 reads 3, ..., 9 reads 0

Does not cover: what the layers do.
"""

import torch
from torch import Tensor, nn

from reference_model.config import ModelConfig


class Skips(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.n_early = config.n_layer // 2
        self.weights = nn.Parameter(torch.ones(self.n_early, config.model_dim))  # one a late layer

    def source(self, layer: int) -> int | None:
        """The early layer that this one reads, if it reads one."""
        mirrored = 2 * self.n_early - 1 - layer
        return mirrored if 0 <= mirrored < self.n_early else None

    def forward(
        self,
        x: Tensor,  # (B, T, D), what the layer would read
        early: list[Tensor],  # (B, T, D) each, outputs of the early layers up to here
        layer: int,
    ) -> Tensor:  # (B, T, D)
        source = self.source(layer)
        if source is None:
            return x
        return x + self.weights[layer - self.n_early].to(x.dtype) * early[source]
