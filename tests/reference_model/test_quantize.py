import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from reference_model.quantize import (
    CLIP_QUANTILES,
    LEVELS,
    QuantizationError,
    QuantSettings,
    prune,
    quantize,
    row_quantiles,
    tensor_class,
)

weights = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.floats(-1_000, 1_000, width=32),
).map(torch.from_numpy)
bits = st.sampled_from(sorted(LEVELS))


@given(weight=weights, bits=bits)
def test_searching_the_clip_is_never_worse_than_the_maximum(weight, bits):
    """Row by row, the squared error is at most that of scaling by the largest magnitude."""
    top = LEVELS[bits]
    tiny = torch.finfo(torch.float16).tiny
    scale = (weight.abs().amax(1, keepdim=True) / top).clamp(min=tiny).half().float()
    plain = (weight / scale).round().clamp(-top, top) * scale
    searched = quantize(weight, bits).dequantize()

    assert ((weight - searched).square().sum(1) <= (weight - plain).square().sum(1)).all()


@given(weight=weights, bits=bits)
def test_quantised_weights_are_in_range_and_close(weight, bits):
    """Integers within the levels; an unclipped value is off by half a step at most."""
    q = quantize(weight, bits)

    assert q.values.dtype == torch.int8 and q.values.abs().max() <= LEVELS[bits]
    assert q.scales.dtype == torch.float16 and (q.scales > 0).all()
    step = q.scales.float()[:, None]
    inside = q.values.abs() < LEVELS[bits]
    assert ((weight - q.dequantize()).abs() <= 0.501 * step)[inside].all()


@given(weight=weights)
def test_quantising_twice_changes_nothing_much(weight):
    """What came out of the grid lies on a grid: a second round moves it by rounding alone."""
    once = quantize(weight, 8).dequantize()
    twice = quantize(once, 8).dequantize()

    torch.testing.assert_close(twice, once, rtol=2e-2, atol=1e-3)


@given(weight=weights)
def test_quantiles_are_torch_s(weight):
    found = row_quantiles(weight.abs(), CLIP_QUANTILES)
    expected = torch.quantile(weight.abs(), torch.tensor(CLIP_QUANTILES), dim=1)

    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_the_search_finds_outliers():
    """A value at 1.3 times the rest is clipped when that makes the other 4,999 finer."""
    torch.manual_seed(0)
    weight = torch.rand(2, 5_000)
    weight[0, 0] = 1.3
    scales = quantize(weight, 6).scales.float()

    assert scales[0] < 1.1 / 31
    assert scales[1] == pytest.approx(1.0 / 31, rel=1e-2)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 3e6])
def test_diverged_weights_are_refused(bad):
    with pytest.raises(QuantizationError, match="diverge"):
        quantize(torch.tensor([[1.0, bad]]), 6)


@given(bank=arrays.arrays(np.float32, (3, 4, 5), elements=st.floats(-9, 9, width=32)), bits=bits)
def test_a_bank_is_its_matrices(bank, bits):
    """Stacked matrices are rounded one by one."""
    bank = torch.from_numpy(bank)
    whole = quantize(bank, bits)
    for n, matrix in enumerate(bank):
        alone = quantize(matrix, bits)
        assert torch.equal(whole.values[n], alone.values)
        assert torch.equal(whole.scales[n], alone.scales)


@given(weight=weights, bits=bits)
def test_no_clip_of_the_five_is_better(weight, bits):
    """Row by row, the chosen one has the smallest error of all five, each tried alone."""

    def errors(quantiles):
        return (weight - quantize(weight, bits, quantiles).dequantize()).square().sum(1)

    best = errors(CLIP_QUANTILES)
    for quantile in CLIP_QUANTILES:
        assert (best <= errors((quantile, 1.0)) + 1e-6).all()


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("qo_bank", (22, 512, 512), "int6"),
        ("kv_bank", (22, 256, 512), "int6"),
        ("mlp_down_bank", (11, 512, 1536), "int5"),
        ("tok_emb.weight", (1024, 512), "fp16"),
        ("bigram.embed.weight", (1536, 128), "int8"),
        ("ve.proj.weight", (256, 128), "fp16"),  # 32,768 values: not worth scales
        ("blocks.3.attn.q_gain", (8,), "fp16"),
    ],
)
def test_a_tensor_s_class_comes_of_its_name_and_size(name, shape, expected):
    settings = QuantSettings(mlp="int5", token_embedding="fp16")

    assert tensor_class(name, shape, settings) == expected


def test_an_unknown_class_is_refused():
    with pytest.raises(ValueError, match="int4"):
        QuantSettings(mlp="int4")


@given(weight=weights, fraction=st.floats(0, 0.9))
def test_pruning_takes_the_smallest(weight, fraction):
    """At most the fraction goes, nothing that stays is smaller than what went, the rest is kept."""
    pruned = prune(weight, fraction)
    gone = (pruned == 0) & (weight != 0)

    assert gone.sum() <= fraction * weight.numel()
    assert torch.equal(pruned[~gone], weight[~gone])
    if gone.any() and (~gone & (weight != 0)).any():
        assert weight[gone].abs().max() <= weight[~gone & (weight != 0)].abs().min()
