"""Attention inside documents of unequal length, as one operator of PyTorch.

Replaces: what `flash_attn_varlen_func` computes on a GPU, where its callers are compiled whole
(`fullgraph=True`) and the documents' ends are known to the device alone.
The numbers stay right: each document is attended by itself; PyTorch's own flash kernel does it
where it serves (`flash`), else the definition, document by document.
Not covered: second derivatives; CUDA graphs where the flash kernel does not serve, since the
documents' ends are then read.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from harness.inside.shim import flash

# One document: (1, queries, heads, size) of each, causal, left, right, scale, softcap.
Attend = Callable[[Tensor, Tensor, Tensor, bool, int, int, float | None, float], Tensor]
Gradients = Callable[..., tuple[Tensor, Tensor, Tensor]]  # the same behind the result's own


def by_document(
    attend: Attend,
    q: Tensor,  # (all queries, heads, size)
    k: Tensor,  # (all keys, key-value heads, size)
    v: Tensor,
    ends_q: Tensor,  # (documents + 1,) int32
    ends_k: Tensor,
    *how: Any,  # causal, left, right, scale, softcap
) -> Tensor:
    """(all queries, heads, size); zero behind the last document."""
    out = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    pieces = [
        attend(q[None, a:b], k[None, c:d], v[None, c:d], *how)[0]
        for a, b, c, d in _spans(ends_q, ends_k)
    ]
    done = torch.cat(pieces) if pieces else out[:0]
    return torch.cat((done.to(out.dtype), out[done.size(0) :]))


def _spans(ends_q: Tensor, ends_k: Tensor) -> list[tuple[int, int, int, int]]:
    """Begin and end of each document's queries and keys; repeated ends fill a fixed number."""
    starts_q, starts_k = ends_q.tolist(), ends_k.tolist()
    pairs = zip(starts_q, starts_q[1:], starts_k, starts_k[1:], strict=False)
    return [(a, b, c, d) for a, b, c, d in pairs if b > a and d > c]


def operator(attend: Attend, gradients: Gradients) -> Callable[..., Tensor]:
    """The same as an operator that a graph may hold, with its gradient."""

    @torch.library.custom_op("documents::attend", mutates_args=())
    def forward(
        q: Tensor,
        k: Tensor,
        v: Tensor,
        ends_q: Tensor,
        ends_k: Tensor,
        longest_q: int,
        longest_k: int,
        causal: bool,
        left: int,
        right: int,
        scale: float | None,
        softcap: float,
    ) -> tuple[Tensor, Tensor]:
        if flash.serves(q, softcap):
            ends = flash.Ends(ends_q, ends_k, longest_q, longest_k)
            return flash.forward(q, k, v, causal, left, right, scale, ends)
        how = (causal, left, right, scale, softcap)
        with torch.no_grad():
            return by_document(attend, q, k, v, ends_q, ends_k, *how), q.new_zeros(0)

    @torch.library.custom_op("documents::attend_backward", mutates_args=())
    def backward(
        grad: Tensor,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        out: Tensor,
        normaliser: Tensor,
        ends_q: Tensor,
        ends_k: Tensor,
        longest_q: int,
        longest_k: int,
        causal: bool,
        left: int,
        right: int,
        scale: float | None,
        softcap: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        if normaliser.numel():
            ends = flash.Ends(ends_q, ends_k, longest_q, longest_k)
            done = flash.Done(out, normaliser)
            return flash.backward(grad, q, k, v, done, causal, left, right, scale, ends)
        how = (causal, left, right, scale, softcap)
        made = [torch.zeros_like(part) for part in (q, k, v)]
        for a, b, c, d in _spans(ends_q, ends_k):
            parts = grad[None, a:b], q[None, a:b], k[None, c:d], v[None, c:d]
            of_q, of_k, of_v = gradients(*parts, *how)
            made[0][a:b], made[1][c:d], made[2][c:d] = of_q[0], of_k[0], of_v[0]
        return made[0], made[1], made[2]

    @forward.register_fake
    def _(q: Tensor, k: Tensor, v: Tensor, *how: Any) -> tuple[Tensor, Tensor]:
        *_, softcap = how
        served = flash.serves(q, softcap)
        normaliser = q.new_empty((q.size(1), q.size(0)) if served else 0, dtype=torch.float32)
        return q.new_empty((*q.shape[:-1], v.shape[-1])), normaliser if served else q.new_empty(0)

    @backward.register_fake
    def _(grad: Tensor, q: Tensor, k: Tensor, v: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor]:
        return torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)

    def keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        q, k, v, ends_q, ends_k, *ctx.how = inputs
        ctx.save_for_backward(q, k, v, *output, ends_q, ends_k)

    def differentiate(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Any, ...]:
        return (*backward(grad.contiguous(), *ctx.saved_tensors, *ctx.how), *[None] * 9)

    forward.register_autograd(differentiate, setup_context=keep)
    return lambda *inputs: forward(*inputs)[0]
