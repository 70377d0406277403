"""The processes of one run: who this one is, which device it has, what they agree on.

Started plainly, a run is one process. Started by `torchrun`, it reads RANK, WORLD_SIZE and
LOCAL_RANK and joins the others: gloo between CPUs, NCCL between GPUs. As in the record family the
number of processes must divide 8: a step's windows are dealt out evenly.

Guarantees: numbers that decide the course of a run (seconds, stopping) are the first process's, on
all of them, without waiting for a GPU. Does not cover: processes that fail (torchrun ends the run).
"""

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist

MAX_RANKS = 8


class RanksError(ValueError):
    """These processes cannot share a run."""


@dataclass(frozen=True)
class Ranks:
    rank: int  # 0 leads: it alone writes files
    n_ranks: int
    device: torch.device

    @classmethod
    def join(cls, device: str) -> "Ranks":
        """This process among those that torchrun started, or alone."""
        n_ranks = int(os.environ.get("WORLD_SIZE", "1"))
        if n_ranks == 1:
            return cls(0, 1, torch.device(device))
        if MAX_RANKS % n_ranks:
            raise RanksError(f"{n_ranks} processes do not divide {MAX_RANKS}")
        if device == "cuda":
            device = f"cuda:{os.environ['LOCAL_RANK']}"
            torch.cuda.set_device(device)
        dist.init_process_group("cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo")
        return cls(int(os.environ["RANK"]), n_ranks, torch.device(device))

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def rows(self, batch_size: int) -> range:
        """Which windows of a step's batch are this process's."""
        if batch_size % self.n_ranks:
            raise RanksError(f"{batch_size} windows a step do not divide by {self.n_ranks}")
        n = batch_size // self.n_ranks
        return range(self.rank * n, (self.rank + 1) * n)

    def agree(self, number: float) -> float:
        """The first process's number."""
        if self.n_ranks == 1:
            return number
        box = torch.tensor(number, dtype=torch.float64)  # on the CPU: no GPU is waited for
        dist.broadcast(box, src=0)
        return box.item()

    def total(self, x: torch.Tensor) -> torch.Tensor:
        """The sum over the processes, in place."""
        if self.n_ranks > 1:
            dist.all_reduce(x)
        return x

    def leave(self) -> None:
        if self.n_ranks > 1:
            dist.destroy_process_group()
