"""Muon on several processes: each makes its share of every bank's updates orthogonal (#399, #549).

    reduce    asynchronous reduce-scatter of each bank's gradient, the biggest first
    step      momentum and Newton-Schulz on the own share, then an asynchronous all-gather
    finish    wait, and apply the gathered updates

Between `step` and `finish` the caller steps AdamW on everything else: the gathering hides behind
it. A bank whose matrices do not divide by the processes is padded with zeros, whose update is zero.

Guarantees: the same weights as `Muon` in one process on the same gradients, but for the order of
sums; the momentum lives once among all. Does not cover: processes that leave or join.
"""

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from reference_model.muon import Muon, orthogonalize


@dataclass(eq=False)
class Share:
    """One bank as this process sees it."""

    padded: Tensor  # (W * S, M, N) the whole gradient, then the whole update
    own: Tensor  # (S, M, N) this process's part of the gradient
    work: dist.Work | None = None  # the transfer that is under way


class ParallelMuon(Muon):
    """Needs an initialised process group; banks are (K, M, N), equal on all processes."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.rank, self.n_ranks = dist.get_rank(), dist.get_world_size()
        self.shares: dict[Tensor, Share] = {p: self._share(p) for p in self.banks}

    @torch.no_grad()
    def reduce(self) -> None:
        """Start to sum the gradients over the processes (each holds its part of the mean)."""
        for p in self._trained():
            share = self.shares[p]
            share.padded[: len(p)].copy_(p.grad)
            share.padded[len(p) :].zero_()
            share.work = dist.reduce_scatter_tensor(share.own, share.padded, async_op=True)

    def squared_norm(self) -> Tensor:
        for p in self._trained():
            self._wait(p)
        norms = torch._foreach_norm([self.shares[p].own for p in self._trained()])
        total = torch.stack(norms).float().square().sum()
        dist.all_reduce(total)
        return total

    @torch.no_grad()
    def step(self, grad_scale: Tensor | float = 1.0) -> None:
        for p in self._trained():
            share = self.shares[p]
            update = orthogonalize(self.nesterov(p, share.own * grad_scale)).contiguous()
            share.work = dist.all_gather_into_tensor(share.padded, update, async_op=True)

    def finish(self) -> None:
        for p in self._trained():
            self._wait(p)
            self.apply(p, self.shares[p].padded[: len(p)])

    def momenta(self) -> list[Tensor]:
        """Gathered from all processes: every one of them must call it."""
        return [self._gather(p) for p in self.banks if p in self.state]

    def load_momenta(self, momenta: list[Tensor]) -> None:
        for p, momentum in zip(self.banks, momenta, strict=bool(momenta)):
            whole = torch.zeros_like(self.shares[p].padded)
            whole[: len(p)].copy_(momentum)
            self.state[p]["momentum"] = whole.chunk(self.n_ranks)[self.rank].clone()

    def _gather(self, p: Tensor) -> Tensor:
        whole = torch.empty_like(self.shares[p].padded)
        dist.all_gather_into_tensor(whole, self.state[p]["momentum"])
        return whole[: len(p)].clone()

    def _share(self, p: Tensor) -> Share:
        n_own = -(-len(p) // self.n_ranks)
        whole = torch.zeros(n_own * self.n_ranks, *p.shape[1:], dtype=p.dtype, device=p.device)
        whole = self._typed(whole)
        return Share(whole, torch.empty_like(whole[:n_own]))

    def _wait(self, p: Tensor) -> None:
        if work := self.shares[p].work:
            work.wait()
            self.shares[p].work = None
