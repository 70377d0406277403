"""Fused attention, computed by PyTorch's own.

Replaces: `flash_attn_func` and `flash_attn_varlen_func` of FlashAttention 2 and 3 with their packed
forms (causal, windows, grouped heads, scale, softcap, documents by `cu_seqlens`), flex attention,
and the switches that choose between PyTorch's kernels.
The numbers stay right: all of these define the same function, softmax(q k^T) v under a mask, and
differ in the order of summation only. A causal mask is aligned to the lower right corner, as
FlashAttention documents it since 2.1. Documents are attended one by one, so nothing crosses.
Not covered: dropout, ALiBi, paged and key-value caches: these end the run by name.
"""

import contextlib
import dis
import sys
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.inside.shim.unserved import unserved

_UNSERVED = ("alibi_slopes", "block_table", "page_table", "learnable_sink", "sinks")


def install() -> None:
    """Makes the choice between PyTorch's kernels neutral: on a CPU only some of them exist."""
    backends: Any = torch.backends.cuda
    for kind in ("flash", "mem_efficient", "math", "cudnn"):
        setattr(backends, f"enable_{kind}_sdp", lambda *_, **__: None)
    space: Any = torch
    space.backends.cuda.sdp_kernel = space.nn.attention.sdpa_kernel = _neutral
    space.set_float32_matmul_precision = lambda *_: None  # "high" would round to bfloat16 here


@contextlib.contextmanager
def _neutral(*_: Any, **__: Any) -> Any:
    yield


def flash_attn_func(
    q: Tensor,  # (batch, queries, heads, size)
    k: Tensor,  # (batch, keys, key-value heads, size)
    v: Tensor,
    dropout_p: float = 0.0,
    softmax_scale: float | None = None,
    causal: bool = False,
    window_size: tuple[int | None, int | None] = (-1, -1),
    softcap: float = 0.0,
    return_attn_probs: bool = False,
    return_softmax_lse: bool = False,
    **options: Any,
) -> Any:
    """Attention over whole sequences; (batch, queries, heads, size)."""
    if isinstance(dropout_p, bool) or dropout_p:
        unserved("flash_attn_func with dropout")()
    for name in _UNSERVED:
        if options.get(name) is not None:
            unserved(f"flash_attn_func({name}=...)")()
    q, k, v = (part.transpose(1, 2) for part in (q, k, v))
    mask = _mask(q.size(2), k.size(2), causal, window_size, q.device)
    out = _attend(q, k, v, mask, causal, softmax_scale, softcap).transpose(1, 2)
    # Dynamo traces no look at frames: in a compiled graph one result is given.
    older = not torch.compiler.is_compiling() and _unpacks_two(sys._getframe(1))
    if not (return_attn_probs or return_softmax_lse or older):
        return out
    normaliser = _log_normaliser(q, k, mask, causal, softmax_scale)
    return (out, normaliser) if older else (out, normaliser, None)


def _unpacks_two(caller: FrameType) -> bool:
    """The call stands in `out, lse = flash_attn_func(...)`: early FlashAttention 3 gave both."""
    behind = (one for one in _instructions(caller.f_code) if one.offset > caller.f_lasti)
    following = next((one for one in behind if one.opname != "CACHE"), None)
    return following is not None and following.opname == "UNPACK_SEQUENCE" and following.arg == 2


@lru_cache(maxsize=64)
def _instructions(code: CodeType) -> tuple[dis.Instruction, ...]:
    return tuple(dis.get_instructions(code))


def flash_attn_varlen_func(
    q: Tensor,  # (all queries, heads, size)
    k: Tensor,
    v: Tensor,
    cu_seqlens_q: Tensor,  # (documents + 1,) int32: where each begins, and the end of the last
    cu_seqlens_k: Tensor | None = None,
    max_seqlen_q: int | None = None,
    max_seqlen_k: int | None = None,
    *arguments: Any,
    **options: Any,
) -> Tensor:
    """Attention inside each document; padding behind the last one stays zero."""
    starts_q = cu_seqlens_q.tolist()
    starts_k = starts_q if cu_seqlens_k is None else cu_seqlens_k.tolist()
    out = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    pieces = []
    for a, b, c, d in zip(starts_q, starts_q[1:], starts_k, starts_k[1:], strict=False):
        if b > a and d > c:  # repeated ends fill a fixed number of documents
            one = flash_attn_func(q[None, a:b], k[None, c:d], v[None, c:d], *arguments, **options)
            pieces.append(one[0])
    done = torch.cat(pieces) if pieces else out[:0]
    return torch.cat((done.to(out.dtype), out[done.size(0) :]))


def flash_attn_qkvpacked_func(qkv: Tensor, *arguments: Any, **options: Any) -> Any:
    """`qkv` (batch, tokens, 3, heads, size)."""
    q, k, v = qkv.unbind(2)
    return flash_attn_func(q, k, v, *arguments, **options)


def flash_attn_kvpacked_func(q: Tensor, kv: Tensor, *arguments: Any, **options: Any) -> Any:
    """`kv` (batch, tokens, 2, heads, size)."""
    k, v = kv.unbind(2)
    return flash_attn_func(q, k, v, *arguments, **options)


def _mask(
    queries: int,
    keys: int,
    causal: bool,
    window: tuple[int | None, int | None],
    device: torch.device,
) -> Tensor | None:
    """(queries, keys) bool, True where attended; None for everything, or for a plain triangle."""
    left, right = (-1 if side is None else side for side in window)
    right = 0 if causal else right
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


def _attend(
    q: Tensor,  # (batch, heads, queries, size)
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    causal: bool,
    scale: float | None,
    softcap: float,
) -> Tensor:
    k, v = (_repeated(part, q.size(1)).to(q.dtype) for part in (k, v))
    if softcap:
        return _weights(q, k, mask, causal, scale, softcap).softmax(-1).to(q.dtype) @ v
    triangle = causal and mask is None
    return F.scaled_dot_product_attention(q, k, v, mask, is_causal=triangle, scale=scale)


def _repeated(part: Tensor, heads: int) -> Tensor:
    """Each key-value head once a query head."""
    groups = heads // part.size(1)
    return part if groups == 1 else part.repeat_interleave(groups, dim=1)


def _weights(
    q: Tensor, k: Tensor, mask: Tensor | None, causal: bool, scale: float | None, softcap: float
) -> Tensor:
    """(batch, heads, queries, keys) float32 logits, minus infinity where masked."""
    scores = (q.float() @ k.float().mT) * (scale or q.size(-1) ** -0.5)
    if softcap:
        scores = softcap * torch.tanh(scores / softcap)
    if mask is None and causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).tril()
    return scores if mask is None else scores.masked_fill(~mask, float("-inf"))


def _log_normaliser(
    q: Tensor, k: Tensor, mask: Tensor | None, causal: bool, scale: float | None
) -> Tensor:
    """(batch, heads, queries) float32, nats."""
    return _weights(q, _repeated(k, q.size(1)), mask, causal, scale, 0.0).logsumexp(-1)
