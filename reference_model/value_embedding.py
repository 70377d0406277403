"""Value embeddings: the token's identity, put into the values of chosen layers' attention.

One table (128 wide) and one projection to the keys' and values' width serve all chosen layers; each
of them scales the result by a number of its own (#549: layers 9 and 10 of 11).

Guarantees: position t depends on token t only. Does not cover: which layers (config), nor what
attention does with it. The projection starts orthogonal and the table small, so a new model's
values are moved by about a thousandth; the reason is the one that `bigram_hash` gives.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_model.config import ModelConfig
from reference_model.initial import matrix_

TABLE_INIT_STD = 0.01  # #549
SCALE_INIT = 0.1  # #549


class ValueEmbedding(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.layers = config.value_embed_layers
        self.embed = nn.Embedding(config.vocab_size, config.value_embed_dim)
        self.proj = nn.Linear(config.value_embed_dim, config.kv_dim, bias=False)
        self.scale = nn.Parameter(torch.tensor(SCALE_INIT))
        self.layer_scales = nn.Parameter(torch.ones(len(self.layers)))
        nn.init.normal_(self.embed.weight, std=TABLE_INIT_STD)
        matrix_(self.proj.weight, config)

    def forward(
        self,
        tokens: Tensor,  # (B, T) int64 ids
        dtype: torch.dtype,  # of the result
    ) -> dict[int, Tensor]:
        """For each chosen layer its (B, T, D_kv)."""
        identity = F.embedding(tokens, self.embed.weight).to(dtype)
        shared = F.linear(identity, self.proj.weight.to(dtype)) * self.scale.to(dtype)
        scales = self.layer_scales.to(dtype).unbind(0)
        return {layer: shared * scale for layer, scale in zip(self.layers, scales, strict=True)}
