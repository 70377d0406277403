"""Flex attention and its masks, evaluated over the whole square.

Replaces: `flex_attention`, `create_block_mask`.
The numbers stay right: the mask and score functions are the script's own, called for every pair of
positions; skipping blocks, which the real one does, only saves time.
Not covered: logit gradients through captured tensors are as PyTorch's autograd gives them; block
statistics (`sparsity`) are not served.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.attention.flex_attention as flex
from torch import Tensor

Rule = Callable[..., Tensor]  # (..., batch, head, query, key) -> what holds for that pair


class DenseMask:
    """A block mask that knows its rule, and for what it was asked."""

    def __init__(self, rule: Rule, shape: tuple[int | None, ...] = (None,) * 4) -> None:
        self.mask_mod = rule
        self.shape = tuple(size or 1 for size in shape)  # (batch, heads, queries, keys)
        self.seq_lengths = self.shape[2:]

    def to(self, *_: Any, **__: Any) -> "DenseMask":
        """There is one device."""
        return self

    def square(self, scores: Tensor) -> Tensor:
        """(batch, heads, queries, keys) bool, True where attended."""
        return _over_pairs(self.mask_mod, scores.shape, ())


def install() -> None:
    """Puts both into the module that scripts import them from."""
    module: Any = flex
    module.flex_attention = flex_attention
    module.create_block_mask = _dense_mask


def _dense_mask(
    mask_mod: Rule,
    B: int | None,
    H: int | None,
    Q_LEN: int,
    KV_LEN: int,
    *_: Any,
    **__: Any,
) -> DenseMask:
    return DenseMask(mask_mod, (B, H, Q_LEN, KV_LEN))


def flex_attention(
    query: Tensor,  # (batch, heads, queries, size)
    key: Tensor,  # (batch, key-value heads, keys, size)
    value: Tensor,
    score_mod: Rule | None = None,
    block_mask: DenseMask | None = None,
    scale: float | None = None,
    enable_gqa: bool = False,
    return_lse: bool = False,
    **_: Any,
) -> Any:
    """The definition, in float32."""
    groups = query.size(1) // key.size(1)
    if groups > 1:
        key, value = (part.repeat_interleave(groups, dim=1) for part in (key, value))
    scores = query.float() @ key.float().mT * (scale or query.size(-1) ** -0.5)
    if score_mod is not None:
        scores = _over_pairs(score_mod, scores.shape, (scores,))
    if block_mask is not None:
        scores = scores.masked_fill(~block_mask.square(scores), float("-inf"))
    weights = scores.softmax(-1).nan_to_num(0.0)  # a query that sees nothing gives zero
    out = weights.to(value.dtype) @ value
    return (out, scores.logsumexp(-1)) if return_lse else out


def _over_pairs(rule: Rule, shape: torch.Size, before: tuple[Tensor, ...]) -> Tensor:
    """`rule` at every (batch, head, query, key), each as a scalar tensor."""
    from torch._dynamo._trace_wrapped_higher_order_op import TransformGetItemToIndex

    mapped = rule
    first = tuple(0 for _ in before)
    for axis in (3, 2, 1, 0):
        positions = [None] * 4
        positions[axis] = 0  # type: ignore[call-overload]
        mapped = torch.vmap(mapped, in_dims=(*first, *positions))
    with TransformGetItemToIndex():
        return mapped(*before, *(torch.arange(n) for n in shape)).expand(shape)
