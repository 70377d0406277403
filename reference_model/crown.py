"""The CROWN-Q penalty (#1185): keep the rounding error of the later quantisation small.

Rounding to a grid of step d adds noise of variance d^2 / 12. For each bank the penalty is the mean
over its weights of w^2 d^2 / 12, d = (largest magnitude in the row) / 31; the gradient also flows
through that maximum, so it draws outliers in. Weight 0.02, once the learning-rate scale is below
0.3.

Guarantees: the public formula, bank by bank summed. Does not cover: when it applies (`trainer`).
"""

from collections.abc import Iterable

import torch
from torch import Tensor

TOP = 31  # the largest integer of six bits


def crown_penalty(
    banks: Iterable[Tensor],  # each (..., C) float
) -> Tensor:
    """() float32, differentiable."""
    return torch.stack([_bank_penalty(bank.float()) for bank in banks]).sum()


def _bank_penalty(w: Tensor) -> Tensor:  # (..., C) -> ()
    step = w.abs().amax(dim=-1, keepdim=True) / TOP
    return (w.square() * step.square() / 12.0).mean()
