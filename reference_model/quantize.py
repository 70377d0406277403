"""Weights to small integers: one scale a row, the clip chosen by reconstruction error.

Per row, five clips are tried (quantiles of the absolute values, the last one the maximum) and the
one with the smallest squared error is kept: a few outliers then do not coarsen the whole row. The
record family (#549, "GPTQ-lite") chooses among the same five per matrix; a row is never worse.

Guarantees: the error of no row exceeds that of plain scaling by its maximum; the result depends on
the weights alone, so no calibration data is needed.
Does not cover: error compensation between columns (GPTQ) and training through the rounding (QAT).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

CLIP_QUANTILES = (0.999, 0.9995, 0.9999, 0.99999, 1.0)  # #549
LEVELS = {6: 31, 8: 127}  # largest integer by bits; symmetric, zero is exact
# Scales are stored in float16: below its smallest normal number they would lose their digits.
MIN_SCALE = torch.finfo(torch.float16).tiny
MAX_SCALE = torch.finfo(torch.float16).max


class QuantizationError(ValueError):
    """These weights have no quantised form."""


@dataclass(frozen=True, eq=False)
class QuantizedMatrix:
    values: Tensor  # (R, C) int8
    scales: Tensor  # (R,) float16, positive: what one step of the integers is worth

    def dequantize(self) -> Tensor:
        """(R, C) float32."""
        return self.values.float() * self.scales.float()[:, None]


@torch.no_grad()
def quantize(
    weight: Tensor,  # (R, C) float
    bits: int,  # 6 or 8
) -> QuantizedMatrix:
    weight = weight.detach().float()
    magnitude = weight.abs()
    if not torch.isfinite(weight).all() or magnitude.max() > MAX_SCALE * LEVELS[bits]:
        raise QuantizationError("weights are not finite or too large; did the training diverge?")
    best = _round(weight, magnitude.amax(dim=1), bits)
    best_error = _row_error(weight, best)
    for quantile in CLIP_QUANTILES[:-1]:
        trial = _round(weight, torch.quantile(magnitude, quantile, dim=1), bits)
        error = _row_error(weight, trial)
        better = error < best_error
        best = QuantizedMatrix(
            torch.where(better[:, None], trial.values, best.values),
            torch.where(better, trial.scales, best.scales),
        )
        best_error = torch.minimum(best_error, error)
    return best


def _round(
    weight: Tensor,  # (R, C) float32
    clip: Tensor,  # (R,) float32, the magnitude that gets the largest integer
    bits: int,
) -> QuantizedMatrix:
    top = LEVELS[bits]
    scales = (clip / top).clamp(MIN_SCALE, MAX_SCALE).half()
    values = (weight / scales.float()[:, None]).round().clamp(-top, top)
    return QuantizedMatrix(values.to(torch.int8), scales)


def _row_error(weight: Tensor, quantized: QuantizedMatrix) -> Tensor:  # -> (R,) float32
    return (weight - quantized.dequantize()).square().sum(dim=1)
