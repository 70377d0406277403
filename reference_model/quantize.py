"""Weights to small integers: one scale a row, the clip chosen by reconstruction error.

Per row, five clips are tried (quantiles of the absolute values, the last one the maximum) and the
one with the smallest squared error is kept: a few outliers then do not coarsen the whole row. The
record family ("GPTQ-lite") does it a matrix at a time in #549 and a row at a time in #754; by rows,
none is ever worse. Which tensor gets how many bits is its class: `tensor_class`.

Guarantees: the error of no row exceeds that of plain scaling by its maximum; the result depends on
the weights alone, so no calibration data is needed.
Does not cover: error compensation between columns (GPTQ) and training through the rounding (`qat`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

CLIP_QUANTILES = (0.999, 0.9995, 0.9999, 0.99999, 1.0)  # #549
LEVELS = {5: 15, 6: 31, 8: 127}  # largest integer by bits; symmetric, zero is exact
# Scales are stored in float16: below its smallest normal number they would lose their digits.
MIN_SCALE = torch.finfo(torch.float16).tiny
MAX_SCALE = torch.finfo(torch.float16).max
MIN_QUANTIZED = 65_536  # values; smaller tensors stay float16, as in #549
BITS = {"int5": 5, "int6": 6, "int8": 8}  # by class; the class "fp16" has none


class QuantizationError(ValueError):
    """These weights have no quantised form."""


@dataclass(frozen=True)
class QuantSettings:
    """The class of each kind of tensor, and what happens before it is rounded."""

    attention: str = "int6"  # banks of q, k, v and output matrices
    mlp: str = "int6"  # banks of up and down matrices
    token_embedding: str = "int8"  # also the head where it is tied; #754: fp16
    other: str = "int8"  # large tables and projections (bigrams, value embeddings)
    prune_fraction: float = 0.0  # smallest magnitudes of each quantised tensor set to zero (#537)
    clip_quantiles: tuple[float, ...] = CLIP_QUANTILES  # (1.0,): no search

    def __post_init__(self) -> None:
        for kind in (self.attention, self.mlp, self.token_embedding, self.other):
            if kind not in (*BITS, "fp16"):
                raise ValueError(f"a tensor's class is {', '.join(BITS)} or fp16, got {kind!r}")


def tensor_class(
    name: str,  # the parameter's
    shape: Sequence[int],
    settings: QuantSettings = QuantSettings(),
) -> str:
    """How the artifact stores a tensor: "int5", "int6", "int8" or "fp16"."""
    n_values = 1
    for side in shape:
        n_values *= side
    if name == "tok_emb.weight":  # whatever its size: it is also the head
        return settings.token_embedding
    if name.startswith("mlp_") and name.endswith("_bank"):
        return settings.mlp
    if name.endswith("_bank"):
        return settings.attention
    return settings.other if len(shape) == 2 and n_values > MIN_QUANTIZED else "fp16"


@dataclass(frozen=True, eq=False)
class QuantizedMatrix:
    values: Tensor  # (..., R, C) int8
    scales: Tensor  # (..., R) float16, positive: what one step of the integers is worth

    def dequantize(self) -> Tensor:
        """(..., R, C) float32."""
        return self.values.float() * self.scales.float()[..., None]


@torch.no_grad()
def quantize(
    weight: Tensor,  # (..., R, C) float: a matrix or a bank
    bits: int,  # 5, 6 or 8
    clip_quantiles: tuple[float, ...] = CLIP_QUANTILES,  # rising, the last one 1
) -> QuantizedMatrix:
    """Raises QuantizationError where a weight is not finite or too large."""
    weight, top = weight.detach().float(), LEVELS[bits]
    magnitude = weight.abs()
    if not torch.isfinite(weight).all() or magnitude.max() > MAX_SCALE * top:
        raise QuantizationError("weights are not finite or too large; did the training diverge?")
    best = round_to_grid(weight, magnitude.amax(dim=-1), top)
    best_error = _row_error(weight, best)
    # The last of them is the maximum, tried above.
    for clip in row_quantiles(magnitude, clip_quantiles)[:-1]:
        trial = round_to_grid(weight, clip, top)
        error = _row_error(weight, trial)
        better = error < best_error
        best = QuantizedMatrix(
            torch.where(better[..., None], trial.values, best.values),
            torch.where(better, trial.scales, best.scales),
        )
        best_error = torch.minimum(best_error, error)
    return best


@torch.no_grad()
def prune(
    weight: Tensor,  # (..., R, C) float
    fraction: float,  # 0 to 1
) -> Tensor:
    """The weight with its smallest magnitudes set to zero; what ties with the bound is kept."""
    k = int(fraction * weight.numel())
    if not k:
        return weight
    bound = weight.abs().flatten().float().kthvalue(k).values
    return weight.masked_fill(weight.abs() < bound, 0.0)


def round_to_grid(
    weight: Tensor,  # (..., R, C) float32
    clip: Tensor,  # (..., R) float32, the magnitude that gets the largest integer
    top: int,  # that integer
) -> QuantizedMatrix:
    scales = (clip / top).clamp(MIN_SCALE, MAX_SCALE).half()
    values = (weight / scales.float()[..., None]).round().clamp(-top, top)
    return QuantizedMatrix(values.to(torch.int8), scales)


def row_quantiles(
    magnitude: Tensor,  # (..., R, C) float32
    quantiles: Sequence[float],  # in rising order
) -> Tensor:  # (len(quantiles), ..., R)
    """As torch.quantile, between neighbours linearly; but all are near the top, so the few largest
    values of a row say them, where torch.quantile sorts each row once a quantile.
    """
    last = magnitude.size(-1) - 1
    ranks = [q * last for q in quantiles]
    top = magnitude.topk(last - math.floor(ranks[0]) + 1, dim=-1).values  # falling
    found = []
    for rank in ranks:
        below, above = (top[..., last - whole] for whole in (math.floor(rank), math.ceil(rank)))
        found.append(torch.lerp(below, above, rank - math.floor(rank)))
    return torch.stack(found)


def _row_error(weight: Tensor, quantized: QuantizedMatrix) -> Tensor:  # -> (..., R) float32
    return (weight - quantized.dequantize()).square().sum(dim=-1)
