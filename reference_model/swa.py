"""Tight stochastic weight averaging: the plain mean of a few late weights.

One sample every so many steps, and only while the learning-rate scale is below a bound: 0.2 in the
record family (#549, #754, #537), so that the samples lie in one basin. #549 collects them and ships
the EMA; #754 samples the EMA itself; #537 ships the mean.

Guarantees: the mean is that of the samples, in float32; without a sample `mean` is None.
Does not cover: which weights are sampled and shipped (`presets`, `trainer`).
"""

import torch
from torch import Tensor


class SWA:
    def __init__(
        self,
        every: int,  # steps between samples
        below: float,  # the learning-rate scale under which samples are taken
    ):
        self.every, self.below = every, below
        self.n_samples = 0
        self.total: dict[str, Tensor] = {}  # name -> float32, the sum of the samples

    def wants(
        self,
        n_steps_done: int,
        warmdown: float,  # the learning-rate scale of the step just done, as far as it is late
    ) -> bool:
        return warmdown < self.below and n_steps_done % self.every == 0

    @torch.no_grad()
    def add(self, weights: dict[str, Tensor]) -> None:
        if not self.total:
            self.total = {
                name: torch.zeros_like(w, dtype=torch.float32) for name, w in weights.items()
            }
        for name, total in self.total.items():
            total.add_(weights[name].detach())
        self.n_samples += 1

    def mean(self) -> dict[str, Tensor] | None:
        if not self.n_samples:
            return None
        return {name: total / self.n_samples for name, total in self.total.items()}
