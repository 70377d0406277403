"""The record family's core: a small transformer as submissions of the challenge build it.

Features: grouped-query attention with partial RoPE (`attention`), LeakyReLU(0.5)^2 MLP, tied
embeddings, logit softcap, residual branches scaled by 1/sqrt(layer + 1), each block's input mixed
with the normalised embedding. Names and initial values follow the public record #549.

Guarantees: logits at t depend on tokens 0..t; no tensor made in a forward pass outlives it.
Knows nothing of text, bytes, optimisers or files: token ids in, logits or nats out.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_model.attention import Attention
from reference_model.config import ModelConfig

EMBED_INIT_STD = 0.005  # #549; tied embeddings start near zero so that the first logits are flat
NEGATIVE_SLOPE = 0.5  # #549 credits #493: -0.003 bits per byte against ReLU^2


def norm(x: Tensor) -> Tensor:  # (..., D) -> (..., D)
    """RMS norm without a learned gain, as the family has it."""
    return F.rms_norm(x, (x.size(-1),))


class MLP(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.c_fc = nn.Linear(config.model_dim, config.mlp_dim, bias=False)
        self.c_proj = nn.Linear(config.mlp_dim, config.model_dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:  # (B, T, D) -> (B, T, D)
        return self.c_proj(F.leaky_relu(self.c_fc(x), NEGATIVE_SLOPE).square())


class Block(nn.Module):
    """One attention branch, one MLP branch, and the learned scales around them."""

    def __init__(self, config: ModelConfig, layer: int):
        super().__init__()
        self.attn = Attention(config)
        self.mlp = MLP(config)
        self.branch_scale = 1.0 / math.sqrt(layer + 1)
        self.attn_scale = nn.Parameter(torch.ones(config.model_dim))
        self.mlp_scale = nn.Parameter(torch.ones(config.model_dim))
        self.resid_mix = nn.Parameter(
            torch.stack([torch.ones(config.model_dim), torch.zeros(config.model_dim)])
        )

    def forward(
        self,
        x: Tensor,  # (B, T, D), the residual stream
        x0: Tensor,  # (B, T, D), the normalised embedding of the same tokens
    ) -> Tensor:  # (B, T, D)
        x = self.resid_mix[0] * x + self.resid_mix[1] * x0
        x = x + self.attn_scale * self.attn(norm(x) * self.branch_scale)
        return x + self.mlp_scale * self.mlp(norm(x) * self.branch_scale)


class GPT(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.tok_emb = nn.Embedding(config.vocab_size, config.model_dim)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layer))
        self._init_weights()

    def forward_logits(
        self,
        tokens: Tensor,  # (B, T) int64 ids
    ) -> Tensor:
        """(B, T, V) float32 logits; those at t are the prediction of token t + 1."""
        x = x0 = norm(self.tok_emb(tokens))
        for block in self.blocks:
            x = block(x, x0)
        logits = F.linear(norm(x), self.tok_emb.weight).float()
        return self.config.logit_softcap * torch.tanh(logits / self.config.logit_softcap)

    def forward(
        self,
        tokens: Tensor,  # (B, T) int64 ids
        targets: Tensor,  # (B, T) int64 ids, the tokens that follow
    ) -> Tensor:
        """Mean loss over all targets, nats per token."""
        return F.cross_entropy(self.forward_logits(tokens).flatten(0, 1), targets.flatten())

    @property
    def n_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    @torch.no_grad()
    def _init_weights(self) -> None:
        """Orthogonal matrices, zero where a branch rejoins the stream: the model starts as none."""
        nn.init.normal_(self.tok_emb.weight, std=EMBED_INIT_STD)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                zero = name.endswith("c_proj")
                nn.init.zeros_(module.weight) if zero else nn.init.orthogonal_(module.weight)
