import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from reference_model.packing import pack, packed_bytes, unpack
from reference_model.quantize import LEVELS, QuantizationError, quantize

six_bit = arrays.arrays(np.int8, st.integers(0, 70), elements=st.integers(-32, 31))
weights = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.floats(-1_000, 1_000, width=32),
).map(torch.from_numpy)
bits = st.sampled_from(sorted(LEVELS))


@given(values=six_bit)
def test_packing_loses_nothing_and_wastes_nothing(values):
    """unpack(pack(v)) == v, in ceil(6 n / 8) bytes."""
    packed = pack(values)

    assert packed.dtype == np.uint8 and packed.size == -(-6 * values.size // 8)
    assert unpack(packed, values.size).tolist() == values.tolist()


def test_packing_is_big_endian_bit_order():
    """Values 0..63 shifted by 32 and written as a bit string, six digits each."""
    values = np.array([-32, 31, 0, 5, -1])
    digits = "".join(f"{v + 32:06b}" for v in values).ljust(32, "0")

    assert "".join(f"{byte:08b}" for byte in pack(values)) == digits


@pytest.mark.parametrize("value", [-33, 32])
def test_what_six_bits_cannot_hold_is_refused(value):
    with pytest.raises(ValueError, match=r"-32\.\.31"):
        pack(np.array([value]))


@given(n=st.integers(0, 50), extra=st.sampled_from([-1, 1]))
def test_a_wrong_length_is_refused(n, extra):
    size = packed_bytes(n) + extra
    if size >= 0:
        with pytest.raises(ValueError, match="values take"):
            unpack(np.zeros(size, np.uint8), n)


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
