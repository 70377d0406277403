"""Muon: momentum whose matrix updates are made nearly orthogonal before they are applied.

The record family trains every matrix of its blocks with it (#399, #549). Five Newton-Schulz steps
of the quintic below push all singular values of the update into about 0.7..1.2, so each direction
learns at the same speed. Weight decay is decoupled.

Guarantees: deterministic on one device; accepts matrices and stacks of matrices (banks).
Does not cover: vectors and embeddings (AdamW has those, see `optim`), nor several processes.
"""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor

# Keller Jordan's quintic: steepest at zero, at the price of stopping near one instead of at it.
QUINTIC = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5
EPS = 1e-7


def orthogonalize(
    G: Tensor,  # (..., M, N) float, any scale
    steps: int = NEWTON_SCHULZ_STEPS,
) -> Tensor:
    """The same shape and singular vectors, with singular values near one."""
    a, b, c = QUINTIC
    X = G.mT if G.size(-2) > G.size(-1) else G  # the smaller Gram matrix is cheaper
    X = X / (X.norm(dim=(-2, -1), keepdim=True) + EPS)  # largest singular value at most one
    for _ in range(steps):
        A = X @ X.mT
        X = a * X + (b * A + c * A @ A) @ X
    return X.mT if G.size(-2) > G.size(-1) else X


class Muon(torch.optim.Optimizer):
    def __init__(
        self,
        params: Iterable[Tensor],  # each (M, N) or (K, M, N)
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    by_shape[p.shape].append(p)
            for params in by_shape.values():
                self._step_stack(params, group)

    def _step_stack(self, params: list[Tensor], group: dict) -> None:
        """Parameters of one shape together: one batched product costs less than many small ones."""
        updates = orthogonalize(torch.stack([self._nesterov(p, group["momentum"]) for p in params]))
        rows, columns = params[0].shape[-2:]
        # A tall matrix writes into more outputs than it reads inputs; #549 scales it up alike.
        lr = group["lr"] * max(1.0, rows / columns) ** 0.5
        for p, update in zip(params, updates, strict=True):
            p.mul_(1.0 - group["lr"] * group["weight_decay"]).add_(update, alpha=-lr)

    def _nesterov(self, p: Tensor, momentum: float) -> Tensor:
        state = self.state[p]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(p)
        state["momentum"].mul_(momentum).add_(p.grad)
        return p.grad.add(state["momentum"], alpha=momentum)
