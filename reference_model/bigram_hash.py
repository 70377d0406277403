"""A hashed bigram embedding: each position also says which pair of tokens ends there.

The pair (previous, this) goes to one of `bigram_buckets - 1` buckets by #549's hash, the first
position of a window to the last bucket, which holds no pair. The bucket's vector (128 wide) is
projected to the model's width and scaled by one learned number.

Guarantees: the first forward adds exactly nothing (the table starts at zero); position t depends on
tokens t - 1 and t only. Does not cover: collisions, which are left to the training to sort out.

On the start: the public scripts set table *and* projection to zero, where neither would ever get a
gradient; what makes theirs learn is that a later orthogonal initialisation of all linear layers
catches the projection. Here the projection is orthogonal and says so.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_model.config import ModelConfig
from reference_model.initial import matrix_

SCALE_INIT = 0.05  # #549
THIS_FACTOR, PREVIOUS_FACTOR = 36_313, 27_191  # #549


class BigramHash(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.n_buckets = config.bigram_buckets
        self.embed = nn.Embedding(config.bigram_buckets, config.bigram_dim)
        self.proj = nn.Linear(config.bigram_dim, config.model_dim, bias=False)
        self.scale = nn.Parameter(torch.tensor(SCALE_INIT))
        nn.init.zeros_(self.embed.weight)
        matrix_(self.proj.weight, config)

    def forward(
        self,
        tokens: Tensor,  # (B, T) int64 ids
        dtype: torch.dtype,  # of the result
    ) -> Tensor:  # (B, T, D)
        pairs = F.embedding(bigram_buckets(tokens, self.n_buckets), self.embed.weight).to(dtype)
        return F.linear(pairs, self.proj.weight.to(dtype)) * self.scale.to(dtype)


def bigram_buckets(
    tokens: Tensor,  # (..., T) int64 ids
    n_buckets: int,
) -> Tensor:  # (..., T) int64, 0..n_buckets - 1
    last = n_buckets - 1
    mixed = (THIS_FACTOR * tokens[..., 1:]) ^ (PREVIOUS_FACTOR * tokens[..., :-1])
    return F.pad(mixed % last, (1, 0), value=last)
