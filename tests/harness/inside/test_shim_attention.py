"""The shim's attention is the function that FlashAttention and flex attention define."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.inside.shim import attention, flex
from harness.inside.shim.unserved import UnservedConstruct


def _parts(queries: int = 7, keys: int = 7, heads: int = 4, shared: int = 2) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    sizes = ((queries, heads), (keys, shared), (keys, shared))
    return [torch.randn(2, n, h, 8, generator=generator) for n, h in sizes]


def _by_hand(q: Tensor, k: Tensor, v: Tensor, seen: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(d)) v in float64; `seen` (queries, keys) bool."""
    k, v = (part.repeat_interleave(q.size(2) // k.size(2), dim=2) for part in (k, v))
    scores = torch.einsum("bqhd,bkhd->bhqk", q.double(), k.double()) * q.size(-1) ** -0.5
    weights = scores.masked_fill(~seen, float("-inf")).softmax(-1)
    return torch.einsum("bhqk,bkhd->bqhd", weights, v.double()).float()


@pytest.mark.parametrize(
    ("causal", "window"),
    [(False, (-1, -1)), (True, (-1, -1)), (True, (2, 0)), (False, (2, 1)), (False, (-1, 0))],
)
@pytest.mark.parametrize("keys", [7, 10])
def test_masks_align_to_the_lower_right_corner(
    causal: bool, window: tuple[int, int], keys: int
) -> None:
    """Query i of n sees key j of m by the distance j - (i + m - n), as FlashAttention says."""
    q, k, v = _parts(keys=keys)
    distance = torch.arange(keys) - (torch.arange(7)[:, None] + keys - 7)
    left, right = window
    right = 0 if causal else right
    seen = torch.ones(7, keys, dtype=torch.bool)
    seen &= (distance >= -left) | torch.tensor(left < 0)
    seen &= (distance <= right) | torch.tensor(right < 0)
    out = attention.flash_attn_func(q, k, v, causal=causal, window_size=window)
    torch.testing.assert_close(out, _by_hand(q, k, v, seen), atol=1e-5, rtol=1e-5)


def test_documents_do_not_see_each_other() -> None:
    """Each document's rows are what it would get alone; repeated ends and padding are harmless."""
    q, k, v = (part[0] for part in _parts())
    ends = torch.tensor([0, 3, 6, 6], dtype=torch.int32)
    out = attention.flash_attn_varlen_func(q, k, v, ends, ends, 3, 3, causal=True)
    for start, end in ((0, 3), (3, 6)):
        alone = attention.flash_attn_func(
            q[None, start:end], k[None, start:end], v[None, start:end], causal=True
        )
        torch.testing.assert_close(out[start:end], alone[0])
    assert out.shape == q.shape
    assert not out[6:].any()


HOW = [
    {"causal": True},
    {"causal": True, "window_size": (2, 0)},
    {"causal": False, "window_size": (1, 2), "softcap": 5.0},
    {"causal": True, "softmax_scale": 0.3},
]


@pytest.mark.parametrize("how", HOW[1:3])
def test_documents_are_one_operator_of_a_whole_graph(how: dict[str, Any]) -> None:
    """Compiled with `fullgraph=True` it is the plain function, and so are its gradients."""
    ends = torch.tensor([0, 3, 3, 6], dtype=torch.int32)

    def attend(*parts: Tensor) -> Tensor:
        return attention.flash_attn_varlen_func(*parts, ends, ends, 3, 3, **how)

    made = []
    for function in (attend, torch.compile(attend, fullgraph=True, backend="aot_eager")):
        parts = [part[0].requires_grad_() for part in _parts()]
        out = function(*parts)
        out.square().sum().backward()
        made.append((out, *(part.grad for part in parts)))
    torch.testing.assert_close(*made, atol=1e-5, rtol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("how", HOW)
def test_the_flash_kernel_is_the_plain_function(how: dict[str, Any]) -> None:
    """On a GPU: values and gradients of documents and of windows, beside the CPU's in float32."""
    ends = torch.tensor([0, 300, 300, 700], dtype=torch.int32)
    made = []
    for device, dtype in (("cpu", torch.float32), ("cuda", torch.bfloat16)):
        rows = [part.to(torch.bfloat16) for part in _parts(800, 800)]
        parts = [row.to(device, dtype).requires_grad_() for row in rows]
        at = ends.to(device)
        alone = [part[0] for part in parts]
        whole = attention.flash_attn_func(*parts, **how)
        split = attention.flash_attn_varlen_func(*alone, at, at, 400, 400, **how)
        (whole.square().sum() + split.square().sum()).backward()
        made.append(
            [one.detach().float().cpu() for one in (whole, split, *(p.grad for p in parts))]
        )
    torch.testing.assert_close(*made, atol=5e-2, rtol=5e-2)


def test_a_later_key_moves_no_earlier_row() -> None:
    """Causal attention is causal to the bit."""
    q, k, v = _parts()
    before = attention.flash_attn_func(q, k, v, causal=True)
    k[:, 5], v[:, 5] = 9.0, -9.0
    after = attention.flash_attn_func(q, k, v, causal=True)
    assert torch.equal(before[:, :5], after[:, :5])
    assert not torch.equal(before[:, 5:], after[:, 5:])


def test_a_high_softcap_caps_nothing() -> None:
    """The path with a cap and the one without are the same function where the cap is far."""
    q, k, v = _parts()
    plain = attention.flash_attn_func(q, k, v, causal=True)
    capped = attention.flash_attn_func(q, k, v, causal=True, softcap=1e6)
    torch.testing.assert_close(plain, capped, atol=1e-5, rtol=1e-5)


def test_gradients_reach_every_input() -> None:
    """Documents and grouped heads are differentiable, as the real kernels are."""
    q, k, v = (part[0].requires_grad_() for part in _parts())
    ends = torch.tensor([0, 4, 7])
    attention.flash_attn_varlen_func(q, k, v, ends, causal=True).square().sum().backward()
    assert all(part.grad is not None and part.grad.abs().sum() > 0 for part in (q, k, v))


def test_what_is_not_computed_is_named() -> None:
    """Dropout would make scores random; the run ends with the construct's name."""
    q, k, v = _parts()
    with pytest.raises(UnservedConstruct, match="dropout"):
        attention.flash_attn_func(q, k, v, dropout_p=0.1)


def test_flex_attention_follows_the_scripts_own_rule() -> None:
    """A document mask by flex attention equals attention by documents; a score rule is applied."""
    q, k, v = (part[:1] for part in _parts())
    ends = torch.tensor([0, 3, 7])
    document = torch.tensor([0, 0, 0, 1, 1, 1, 1])
    mask = flex.DenseMask(lambda b, h, i, j: (i >= j) & (document[i] == document[j]))
    heads_first = [part.transpose(1, 2) for part in (q, k, v)]
    out = flex.flex_attention(
        *heads_first, lambda score, b, h, i, j: score, mask, enable_gqa=True
    ).transpose(1, 2)
    expected = attention.flash_attn_varlen_func(q[0], k[0], v[0], ends, causal=True)
    torch.testing.assert_close(out[0], expected, atol=1e-5, rtol=1e-5)
    assert flex._dense_mask(mask.mask_mod, None, 2, Q_LEN=7, KV_LEN=7).shape == (1, 2, 7, 7)


def test_a_caller_of_the_older_interface_gets_two_results() -> None:
    """Early FlashAttention 3 gave the normaliser too; whoever takes one result gets the output."""
    q, k, v = torch.randn(3, 1, 8, 2, 4).unbind()
    alone = attention.flash_attn_func(q, k, v, causal=True)
    out, normaliser = attention.flash_attn_func(q, k, v, causal=True)
    assert torch.equal(out, alone) and normaliser.shape == (1, 2, 8)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gradients_repeat_to_the_last_bit_on_a_gpu() -> None:
    """Twenty gradients of the fused kernels are one: by whole rows, by windows, by documents."""
    program = """
import torch, torch.nn.functional as F
from harness.inside.shim import attention, repeatable
repeatable.install()
def parts():
    torch.manual_seed(0)
    sizes = ((8, 2048, 4, 64), (8, 2048, 2, 64), (8, 2048, 2, 64))
    return [torch.randn(n, device="cuda", dtype=torch.bfloat16, requires_grad=True) for n in sizes]
def documents(q, k, v):
    q, k, v = (part.flatten(0, 1) for part in (q, k, v))
    ends = torch.arange(0, 8 * 2048 + 1, 1024, dtype=torch.int32, device="cuda")
    return attention.flash_attn_varlen_func(q, k, v, ends, ends, 1024, 1024, causal=True)
def public(q, k, v):
    rows = (part.transpose(1, 2) for part in (q, k, v))
    return F.scaled_dot_product_attention(*rows, is_causal=True, enable_gqa=True)
def window(q, k, v):
    return attention.flash_attn_func(q, k, v, causal=True, window_size=(256, 0))
for function in (documents, public, window):
    seen = set()
    for _ in range(20):
        tensors = parts()
        out = function(*tensors)
        out.backward(torch.sin(torch.arange(out.numel(), device="cuda")).view_as(out).to(out.dtype))
        seen.add(tuple(part.grad.double().abs().sum().item() for part in tensors))
    assert len(seen) == 1, (function, len(seen))
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)
