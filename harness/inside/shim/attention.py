"""Fused attention, computed by PyTorch's own.

Replaces: `flash_attn_func` and `flash_attn_varlen_func` of FlashAttention 2 and 3 with their packed
forms (causal, windows, grouped heads, scale, softcap, documents by `cu_seqlens`), flex attention,
and the switches that choose between PyTorch's kernels.
The numbers stay right: all of these define the same function, softmax(q k^T) v under a mask, and
differ in the order of summation only. Documents are attended one by one, so that nothing crosses.
Not covered: dropout, ALiBi, paged and key-value caches: these end the run by name.
"""

import contextlib
import dis
import sys
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor

from harness.inside.shim import flash
from harness.inside.shim.attention_definition import attended, gradients, log_normaliser, mask_of
from harness.inside.shim.documents import by_document, operator
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
    _require_served("flash_attn_func", dropout_p, options)
    left, right = _sides(window_size, causal)
    out = attend(q, k, v, causal, left, right, softmax_scale, softcap)
    # Dynamo traces no look at frames: in a compiled graph one result is given.
    older = not torch.compiler.is_compiling() and _unpacks_two(sys._getframe(1))
    if not (return_attn_probs or return_softmax_lse or older):
        return out
    q, k = q.transpose(1, 2), k.transpose(1, 2)
    mask = mask_of(q.size(2), k.size(2), causal, left, right, q.device)
    normaliser = log_normaliser(q, k, mask, causal, softmax_scale)
    return (out, normaliser) if older else (out, normaliser, None)


def attend(
    q: Tensor,  # (batch, queries, heads, size)
    k: Tensor,  # (batch, keys, key-value heads, size)
    v: Tensor,
    causal: bool,
    left: int,  # keys before a query; -1: all
    right: int,
    scale: float | None,
    softcap: float,
) -> Tensor:
    """(batch, queries, heads, size)."""
    if left >= 0 and flash.serves(q, softcap):  # PyTorch's public function knows no windows
        return flash.whole(q, k, v, causal, left, right, scale)
    q, k, v = (part.transpose(1, 2) for part in (q, k, v))
    mask = mask_of(q.size(2), k.size(2), causal, left, right, q.device)
    return attended(q, k, v, mask, causal, scale, softcap).transpose(1, 2)


def _require_served(function: str, dropout_p: float, options: dict[str, Any]) -> None:
    if isinstance(dropout_p, bool) or dropout_p:
        unserved(f"{function} with dropout")()
    for name in _UNSERVED:
        if options.get(name) is not None:
            unserved(f"{function}({name}=...)")()


def _sides(window: tuple[int | None, int | None], causal: bool) -> tuple[int, int]:
    """Keys that a query sees before and behind it; -1: all."""
    left, right = (-1 if side is None else side for side in window)
    return left, 0 if causal else right


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
    dropout_p: float = 0.0,
    softmax_scale: float | None = None,
    causal: bool = False,
    window_size: tuple[int | None, int | None] = (-1, -1),
    softcap: float = 0.0,
    **options: Any,
) -> Tensor:
    """Attention inside each document; padding behind the last one stays zero."""
    _require_served("flash_attn_varlen_func", dropout_p, options)
    ends_k = cu_seqlens_q if cu_seqlens_k is None else cu_seqlens_k
    how = (causal, *_sides(window_size, causal), softmax_scale, softcap)
    if not (q.is_cuda or torch.compiler.is_compiling()):
        return by_document(attend, q, k, v, cu_seqlens_q, ends_k, *how)
    longest_q = q.size(0) if max_seqlen_q is None else int(max_seqlen_q)
    longest_k = k.size(0) if max_seqlen_k is None else int(max_seqlen_k)
    return _documents(q, k, v, cu_seqlens_q, ends_k, longest_q, longest_k, *how)


_documents = operator(attend, gradients)


def flash_attn_qkvpacked_func(qkv: Tensor, *arguments: Any, **options: Any) -> Any:
    """`qkv` (batch, tokens, 3, heads, size)."""
    q, k, v = qkv.unbind(2)
    return flash_attn_func(q, k, v, *arguments, **options)


def flash_attn_kvpacked_func(q: Tensor, kv: Tensor, *arguments: Any, **options: Any) -> Any:
    """`kv` (batch, tokens, 2, heads, size)."""
    k, v = kv.unbind(2)
    return flash_attn_func(q, k, v, *arguments, **options)
