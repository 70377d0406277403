"""From hidden states to logits and nats: softcap, loss, and the heads that exist in training only.

Logits are capped smoothly: cap x tanh(raw / cap), 30 in the records. The loss is computed from raw
logits by an operation of its own. Its backward needs the raw logits (in the dtype of the product)
and one number a row; so float32 logits, 4 kB a token at 1,024 words, are never kept, and under
torch.compile each direction is one kernel over the raw ones.

Multi-token prediction: head k (from 0) predicts the token k + 2 places ahead of the one it reads,
so that hidden states plan; the mean of the heads' losses is added with a weight. Heads start at
zero, as #549's do.

Guarantees: losses in float32 at least, whatever the model's dtype.
Does not cover: gradients of gradients.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

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
    return _SoftcappedLoss.apply(raw, targets, cap)


class _SoftcappedLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, raw: Tensor, targets: Tensor, cap: float) -> Tensor:
        capped = softcap(raw, cap)
        log_norm = capped.logsumexp(-1)  # (N,)
        ctx.save_for_backward(raw, targets, log_norm)
        ctx.cap = cap
        return (log_norm - capped.gather(-1, targets[:, None])[:, 0]).mean()

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        """(softmax - one-hot) through the tanh, over N."""
        raw, targets, log_norm = ctx.saved_tensors
        bent = torch.tanh(at_least_float32(raw) / ctx.cap)
        p = torch.exp(ctx.cap * bent - log_norm[:, None])
        # A comparison, not a scatter: it stays inside the one kernel.
        hit = torch.arange(raw.size(-1), device=raw.device) == targets[:, None]
        d_capped = (p - hit.to(p.dtype)) * (gradient / len(targets))
        return (d_capped * (1.0 - bent.square())).to(raw.dtype), None, None


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
