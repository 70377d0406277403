"""Quantisation-aware training, straight through: late steps see the weights that will be shipped.

While on, the matrices hold their quantised values during the forward and backward passes of a step
and get their own back before the update. The gradient at w is then that at quantised(w): the
straight-through estimator, `w + (quantised(w) - w).detach()`, without an operation in the graph.

So it cannot fail to act. The public scripts test a class attribute in `forward`: a compiled graph
holds its value as a constant, and acts on the switch only where the compiler guards it (PyTorch
2.13 does, and compiles again, within the budget); in #549 it reaches the small projections alone,
no bank passes by it. Here the compiled graph reads the same storage as ever, and the storage holds
other numbers; nothing is compiled again. It also rounds once a step, not once a micro-batch.

Guarantees: weights are the same bits after `restore`. The grid is that of `quantize`, scaled by the
row's maximum (the clip search is left to the end). Does not cover: activations.
"""

import torch
from torch import Tensor

from reference_model.quantize import LEVELS, round_to_grid


class StraightThrough:
    def __init__(
        self,
        weights: dict[str, Tensor],  # name -> (..., C) parameter
        bits: dict[str, int],  # name -> 5, 6 or 8; a name that is missing stays as it is
    ):
        self.weights = [weights[name] for name in bits]
        self.tops = [LEVELS[b] for b in bits.values()]
        self.own: list[Tensor] = []  # the true weights, while the grid's are in their place

    @torch.no_grad()
    def replace(self) -> None:
        """Put the quantised values in place. Raises RuntimeError if they are there already."""
        if self.own:
            raise RuntimeError("the quantised weights are in place already")
        self.own = [w.detach().clone() for w in self.weights]
        for w, top in zip(self.weights, self.tops, strict=True):
            clip = w.abs().amax(dim=-1).float()
            w.copy_(round_to_grid(w.float(), clip, top).dequantize())

    @torch.no_grad()
    def restore(self) -> None:
        torch._foreach_copy_(self.weights, self.own)
        self.own = []
