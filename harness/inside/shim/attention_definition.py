"""Fused attention by its definition: softmax(q k^T) v under a mask, and its gradient.

Guarantees: a causal mask is aligned to the lower right corner, as FlashAttention documents it since
2.1; logits, weights and gradients are float32. Does not cover: dropout, biases; sequences whose
square does not fit the memory, where a mask is needed.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def mask_of(
    queries: int,
    keys: int,
    causal: bool,
    left: int,
    right: int,
    device: torch.device,
) -> Tensor | None:
    """(queries, keys) bool, True where attended; None for everything, or for a plain triangle."""
    if left < 0 and (right < 0 or (causal and queries == keys)):
        return None
    distance = torch.arange(keys, device=device) - (
        torch.arange(queries, device=device)[:, None] + keys - queries
    )
    mask = torch.ones(queries, keys, dtype=torch.bool, device=device)
    if left >= 0:
        mask &= distance >= -left
    if right >= 0:
        mask &= distance <= right
    return mask


def attended(
    q: Tensor,  # (batch, heads, queries, size)
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    causal: bool,
    scale: float | None,
    softcap: float,
) -> Tensor:
    k, v = (repeated(part, q.size(1)).to(q.dtype) for part in (k, v))
    if softcap:
        return logits(q, k, mask, causal, scale, softcap).softmax(-1).to(q.dtype) @ v
    triangle = causal and mask is None
    return F.scaled_dot_product_attention(q, k, v, mask, is_causal=triangle, scale=scale)


def repeated(part: Tensor, heads: int) -> Tensor:
    """Each key-value head once a query head."""
    groups = heads // part.size(1)
    return part if groups == 1 else part.repeat_interleave(groups, dim=1)


def logits(
    q: Tensor, k: Tensor, mask: Tensor | None, causal: bool, scale: float | None, softcap: float
) -> Tensor:
    """(batch, heads, queries, keys) float32 logits, minus infinity where masked."""
    scores = (q.float() @ k.float().mT) * (scale or q.size(-1) ** -0.5)
    if softcap:
        scores = softcap * torch.tanh(scores / softcap)
    if mask is None and causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).tril()
    return scores if mask is None else scores.masked_fill(~mask, float("-inf"))


def log_normaliser(
    q: Tensor, k: Tensor, mask: Tensor | None, causal: bool, scale: float | None
) -> Tensor:
    """(batch, heads, queries) float32, nats."""
    return logits(q, repeated(k, q.size(1)), mask, causal, scale, 0.0).logsumexp(-1)


def gradients(
    grad: Tensor,  # (batch, queries, heads, size), of the result
    q: Tensor,  # (batch, queries, heads, size)
    k: Tensor,  # (batch, keys, key-value heads, size)
    v: Tensor,
    causal: bool,
    left: int,
    right: int,
    scale: float | None,
    softcap: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Of q, k and v, for what records no graph."""
    rows, keys, values, above = (part.transpose(1, 2) for part in (q, k, v, grad.float()))
    keys, values = (repeated(part, q.size(2)).float() for part in (keys, values))
    mask = mask_of(q.size(1), k.size(1), causal, left, right, q.device)
    scores = logits(rows, keys, mask, causal, scale, softcap)
    weights = scores.softmax(-1)
    of_weights = above @ values.mT
    of_scores = weights * (of_weights - (of_weights * weights).sum(-1, keepdim=True))
    if softcap:
        of_scores = of_scores * (1.0 - (scores.nan_to_num(neginf=0.0) / softcap).square())
    of_scores = of_scores * (scale or q.size(-1) ** -0.5)
    of_q, of_k, of_v = of_scores @ keys, of_scores.mT @ rows.float(), weights.mT @ above
    return (
        of_q.transpose(1, 2).to(q.dtype),
        _shared(of_k, k.size(2)).transpose(1, 2).to(k.dtype),
        _shared(of_v, k.size(2)).transpose(1, 2).to(v.dtype),
    )


def _shared(part: Tensor, heads: int) -> Tensor:
    """The sum over the query heads of each key-value head."""
    batch, _, *square = part.shape
    return part.view(batch, heads, -1, *square).sum(2)
