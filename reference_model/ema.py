"""An exponential moving average of the weights: what is shipped instead of the last step's.

Guarantees: after n updates the average is d^n w_0 + (1 - d) sum over i of d^(n - i) w_i, exactly
the recurrence of the record family, in float32 whatever the weights are kept in. One fused pass
over all tensors, not a hundred small ones. Does not cover: buffers (the model has none).
"""

import torch
from torch import Tensor, nn


class EMA:
    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.weights = {
            name: p.detach().float().clone() for name, p in model.named_parameters()
        }  # name -> float32

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        now = [p.detach().float() for p in model.parameters()]
        torch._foreach_lerp_(list(self.weights.values()), now, 1.0 - self.decay)

    @torch.no_grad()
    def load(self, weights: dict[str, Tensor]) -> None:
        for name, average in self.weights.items():
            average.copy_(weights[name])
