"""PyTorch's own flash kernel, called for what its public function does not serve: windows, and
documents of unequal length.

Guarantees: it is called only where it computes softmax(q k^T) v as asked (half precision on a GPU,
no softcap). Does not cover: which of its versions PyTorch was built with.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

MOST_SIZE = 256  # of a head
HALF = (torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Ends:
    """Of documents that lie one behind the other."""

    q: Tensor  # (documents + 1,) int32
    k: Tensor
    longest_q: int
    longest_k: int


@dataclass(frozen=True)
class Done:
    """What the forward pass left."""

    out: Tensor  # as q
    normaliser: Tensor  # (heads, all queries) float32, nats


def serves(q: Tensor, softcap: float) -> bool:
    """Whether the kernel computes what is asked."""
    size = q.size(-1)
    return q.is_cuda and q.dtype in HALF and not softcap and size <= MOST_SIZE and size % 8 == 0


def whole(
    q: Tensor,  # (batch, queries, heads, size)
    k: Tensor,  # (batch, keys, key-value heads, size)
    v: Tensor,
    causal: bool,
    left: int,  # keys before a query; -1: all
    right: int,
    scale: float | None,
) -> Tensor:
    """(batch, queries, heads, size), with its gradient."""
    lengths = (None, None, q.size(1), k.size(1))
    result = _forward(q, k, v, *lengths, 0.0, causal, False, **_options(scale, left, right))
    out: Tensor = result[0]
    return out


def forward(
    q: Tensor,  # (all queries, heads, size)
    k: Tensor,  # (all keys, key-value heads, size)
    v: Tensor,
    causal: bool,
    left: int,
    right: int,
    scale: float | None,
    ends: Ends,
) -> tuple[Tensor, Tensor]:
    """Fields of `Done`; zero behind the last document."""
    lengths = (ends.q, ends.k, ends.longest_q, ends.longest_k)
    out, normaliser, *_ = _forward(
        q, k, v, *lengths, 0.0, causal, False, **_options(scale, left, right)
    )
    return _until(out, ends.q), normaliser


def backward(
    grad: Tensor,  # as q
    q: Tensor,
    k: Tensor,
    v: Tensor,
    done: Done,
    causal: bool,
    left: int,
    right: int,
    scale: float | None,
    ends: Ends,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of q, k and v; zero behind the last document."""
    lengths = (ends.q, ends.k, ends.longest_q, ends.longest_k)
    draws, unused = torch.zeros(2, dtype=torch.uint64, device=q.device), q.new_empty(0)
    saved = (done.out, done.normaliser, *lengths, 0.0, causal, draws, unused)
    run: Any = torch.ops.aten._flash_attention_backward
    one, two, three = run(grad, q, k, v, *saved, **_options(scale, left, right))
    return _until(one, ends.q), _until(two, ends.k), _until(three, ends.k)


def _until(rows: Tensor, ends: Tensor) -> Tensor:
    """Zero behind the last document."""
    behind = torch.arange(rows.size(0), device=rows.device) >= ends[-1]
    return rows.masked_fill(behind[:, None, None], 0.0)


def _forward(*arguments: Any, **options: Any) -> Any:
    run: Any = torch.ops.aten._flash_attention_forward
    return run(*arguments, **options)


def _options(scale: float | None, left: int, right: int) -> dict[str, Any]:
    return {"scale": scale, "window_size_left": left, "window_size_right": right}
