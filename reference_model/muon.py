"""Muon: momentum whose matrix updates are made nearly orthogonal before they are applied.

The record family trains every matrix of its blocks with it (#399, #549), each kind of matrix in one
bank, so that five Newton-Schulz steps are a few batched products. They push all singular values of
the update into about 0.7..1.2: each direction learns at the same speed. Weight decay is decoupled.

A step has four parts, so that several processes can overlap them (`parallel_muon`): reduce the
gradients, know their norm, compute the updates, finish. Guarantees: deterministic on one device;
accepts matrices and stacks of matrices. Does not cover: vectors and embeddings (`optim`).
"""

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
    """The same shape, dtype and singular vectors, with singular values near one."""
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
        params: Iterable[Tensor],  # each (K, M, N) a bank, or (M, N)
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        dtype: torch.dtype | None = None,  # of gradients, momentum and products; None: the weights'
    ):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.dtype = dtype
        # Biggest first: with several processes its reduction has the longest way.
        self.banks = sorted(self.param_groups[0]["params"], key=lambda p: -p.numel())

    def reduce(self) -> None:
        """Call after the backward pass. One process has the whole gradient already."""

    def squared_norm(self) -> Tensor:
        """() float32, of the whole gradient."""
        norms = torch._foreach_norm([p.grad for p in self._trained()])
        return torch.stack(norms).float().square().sum()

    @torch.no_grad()
    def step(
        self,
        grad_scale: Tensor | float = 1.0,  # multiplies every gradient: the clip's coefficient
    ) -> None:
        for p in self._trained():
            self.apply(p, orthogonalize(self.nesterov(p, self._typed(p.grad * grad_scale))))

    def finish(self) -> None:
        """Call last; the weights are new after it. One process changed them in `step`."""

    def nesterov(self, p: Tensor, grad: Tensor) -> Tensor:
        """The momentum of p takes the gradient up; what to step along."""
        momentum, state = self.param_groups[0]["momentum"], self.state[p]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(grad)
        state["momentum"].mul_(momentum).add_(grad)
        return grad.add(state["momentum"], alpha=momentum)

    @torch.no_grad()
    def apply(self, p: Tensor, update: Tensor) -> None:
        group, (rows, columns) = self.param_groups[0], p.shape[-2:]
        # A tall matrix writes into more outputs than it reads inputs; #549 scales it up alike.
        lr = group["lr"] * max(1.0, rows / columns) ** 0.5
        p.mul_(1.0 - group["lr"] * group["weight_decay"]).add_(update.to(p.dtype), alpha=-lr)

    def momenta(self) -> list[Tensor]:
        """The state, bank by bank, whole: what a checkpoint keeps. Empty before the first step."""
        return [self.state[p]["momentum"] for p in self.banks if p in self.state]

    def load_momenta(self, momenta: list[Tensor]) -> None:
        for p, momentum in zip(self.banks, momenta, strict=bool(momenta)):
            self.state[p]["momentum"] = self._typed(momentum.to(p.device)).clone()

    def _trained(self) -> list[Tensor]:
        return [p for p in self.banks if p.grad is not None]

    def _typed(self, x: Tensor) -> Tensor:
        return x.to(self.dtype or x.dtype)
