"""Who optimises what: Muon for the banks of block matrices, AdamW for all the rest.

    banks               Muon, matrix_lr
    embeddings          AdamW, embed_lr      (tokens, bigrams, value embeddings)
    head                AdamW, head_lr       (only where it is not tied to the embedding)
    everything else     AdamW, scalar_lr     (gains, scales, mixes, small projections: #549)

One `step` clips, then updates, overlapping with transfers where there are several processes.
Guarantees: every parameter belongs to exactly one group; the gradient is clipped by the norm of the
whole mean gradient, so the number of processes changes nothing (the public scripts clip each
process's own). No tensor is read back from the device. Does not cover: the course of the rates
(`schedule`) and the micro-batches (`trainer`).
"""

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from reference_model.muon import Muon
from reference_model.parallel_muon import ParallelMuon

ADAM_BETAS = (0.9, 0.95)  # #549
ADAM_EPS = 1e-8  # #549
CLIP_EPS = 1e-6  # torch.nn.utils.clip_grad_norm_ has it


@dataclass(frozen=True)
class OptimSettings:
    """Peak learning rates and decays."""

    matrix_lr: float  # Muon, banks
    embed_lr: float  # AdamW, embeddings
    scalar_lr: float  # AdamW, gains, scales, mixes and small projections
    head_lr: float  # AdamW, an untied head
    matrix_decay: float
    embed_decay: float
    scalar_decay: float
    grad_clip: float  # global norm; 0: never


class Optimizers:
    """Muon and AdamW as one; made after the model is on its device."""

    def __init__(self, model: nn.Module, settings: OptimSettings):
        named = dict(model.named_parameters())
        device = next(iter(named.values())).device
        groups = group_names(named)
        self.grad_clip = settings.grad_clip
        several = dist.is_initialized() and dist.get_world_size() > 1
        self.muon = (ParallelMuon if several else Muon)(
            [named[name] for name in groups["banks"]],
            lr=settings.matrix_lr,
            weight_decay=settings.matrix_decay,
            dtype=torch.bfloat16 if device.type == "cuda" else None,  # #549
        )
        rates = {
            "embeddings": (settings.embed_lr, settings.embed_decay),
            "head": (settings.head_lr, 0.0),  # #549: plain Adam
            "scalars": (settings.scalar_lr, settings.scalar_decay),
        }
        self.adamw = torch.optim.AdamW(
            [
                {"params": [named[n] for n in groups[kind]], "lr": lr, "weight_decay": decay}
                for kind, (lr, decay) in rates.items()
                if groups[kind]
            ],
            betas=ADAM_BETAS,
            eps=ADAM_EPS,
            fused=device.type == "cuda",  # one kernel for a hundred small tensors
        )
        self.small = [p for group in self.adamw.param_groups for p in group["params"]]
        for group in self._groups():
            group["peak_lr"] = group["lr"]

    def set(self, lr_scale: float, momentum: float) -> None:
        for group in self._groups():
            group["lr"] = group["peak_lr"] * lr_scale
        self.muon.param_groups[0]["momentum"] = momentum

    def step(self) -> None:
        """One update from the gradients, each process holding its part of the mean."""
        self.muon.reduce()
        grads = [p.grad for p in self.small if p.grad is not None]
        _all_reduce(grads)
        scale = self._clip_scale(grads)
        self.muon.step(scale)
        torch._foreach_mul_(grads, scale)
        self.adamw.step()
        self.muon.finish()

    def zero_grad(self) -> None:
        self.muon.zero_grad(set_to_none=True)
        self.adamw.zero_grad(set_to_none=True)

    def state(self) -> dict:
        """Tensors and numbers only. Every process must call it; each gets the whole."""
        return {"adamw": self.adamw.state_dict(), "momenta": self.muon.momenta()}

    def load(self, state: dict) -> None:
        self.adamw.load_state_dict(state["adamw"])
        self.muon.load_momenta(state["momenta"])

    def _clip_scale(self, grads: list[Tensor]) -> Tensor:  # -> () float32, at most one
        norms = torch.stack(torch._foreach_norm(grads)).float()
        norm = (self.muon.squared_norm() + norms.square().sum()).sqrt()
        if not self.grad_clip:
            return torch.ones_like(norm)
        return (self.grad_clip / (norm + CLIP_EPS)).clamp(max=1.0)

    def _groups(self) -> list[dict]:
        return [*self.muon.param_groups, *self.adamw.param_groups]


def group_names(named: dict[str, Tensor]) -> dict[str, list[str]]:
    """The names of a model's parameters by the group that trains them."""
    groups: dict[str, list[str]] = {"banks": [], "embeddings": [], "head": [], "scalars": []}
    for name in named:
        if name.endswith("_bank"):
            groups["banks"].append(name)
        elif name.endswith(("tok_emb.weight", "embed.weight")):
            groups["embeddings"].append(name)
        else:
            groups["head" if name == "lm_head.weight" else "scalars"].append(name)
    return groups


def _all_reduce(grads: list[Tensor]) -> None:
    """Sum small gradients over the processes as one message: a hundred would be a hundred waits."""
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return
    by_dtype: dict[torch.dtype, list[Tensor]] = {}
    for grad in grads:
        by_dtype.setdefault(grad.dtype, []).append(grad)
    for same in by_dtype.values():
        flat = torch.cat([grad.flatten() for grad in same])
        dist.all_reduce(flat)
        pieces = flat.split([grad.numel() for grad in same])
        torch._foreach_copy_(same, [x.view_as(g) for x, g in zip(pieces, same, strict=True)])
