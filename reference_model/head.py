"""From hidden states to logits and nats: softcap, loss, and the heads that exist in training only.

Logits are capped smoothly: cap x tanh(raw / cap), 30 in the records. The loss takes raw logits in
whatever dtype the product gave them and widens them itself. Under torch.compile only those are kept
for the backward, with two float32 numbers a row: float32 logits, 4 kB a token at 1,024 words, are
made again (seen in the partitioned graph of torch 2.13; a hand-written backward kept no less, and
took twice the time where nothing is fused).

Multi-token prediction: head k (from 0) predicts the token k + 2 places ahead of the one it reads,
so that hidden states plan; the mean of the heads' losses is added with a weight. Heads start at
zero, as #549's do.

Guarantees: losses in float32 at least, whatever the model's dtype.
Does not cover: which hidden states (`gpt`).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_model.config import ModelConfig


def at_least_float32(x: Tensor) -> Tensor:
    return x if x.dtype is torch.float64 else x.float()


def softcap(
    raw: Tensor,  # (..., V) logits
    cap: float,
) -> Tensor:
    """(..., V) in -cap..cap, float32 (float64 of float64)."""
    return cap * torch.tanh(at_least_float32(raw) / cap)


def softcapped_loss(
    raw: Tensor,  # (N, V) logits before the cap
    targets: Tensor,  # (N,) int64
    cap: float,
) -> Tensor:
    """Mean of -log softmax(softcap(raw))[target], a scalar, nats per token."""
    return F.cross_entropy(softcap(raw, cap), targets)


class MultiTokenHeads(nn.ModuleList):
    """`config.mtp_heads` linear maps (V, D)."""

    def __init__(self, config: ModelConfig):
        super().__init__(
            nn.Linear(config.model_dim, config.vocab_size, bias=False)
            for _ in range(config.mtp_heads)
        )
        self.cap = config.logit_softcap
        for head in self:
            nn.init.zeros_(head.weight)

    def loss(
        self,
        hidden: Tensor,  # (B, T, D), normalised
        targets: Tensor,  # (B, T) int64: the tokens that follow
    ) -> Tensor:
        """Mean over the heads that still have a target in the window, nats per token."""
        losses = []
        for ahead, head in enumerate(self, start=1):
            if (n := hidden.size(1) - ahead) > 0:
                raw = F.linear(hidden[:, :n].flatten(0, 1), head.weight.to(hidden.dtype))
                losses.append(softcapped_loss(raw, targets[:, ahead:].flatten(), self.cap))
        return torch.stack(losses).mean() if losses else hidden.new_zeros((), dtype=torch.float32)
