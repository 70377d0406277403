"""Who optimises what, and how fast: Muon for the blocks' matrices, AdamW for all the rest.

The learning rate is a function of the step alone (no state), so a resumed run cannot differ.
Guarantees: every parameter belongs to exactly one optimiser group.
Does not cover: gradient clipping and accumulation (the trainer's loop).
"""

from dataclasses import dataclass

import torch
from torch import nn

from reference_model.banks import is_bank
from reference_model.muon import Muon

ADAM_BETAS = (0.9, 0.95)  # #549
ADAM_EPS = 1e-8


@dataclass(frozen=True)
class OptimSettings:
    """Peak learning rates and their course over the run."""

    matrix_lr: float  # Muon, block matrices
    embed_lr: float  # AdamW, the tied embedding
    scalar_lr: float  # AdamW, gains, scales and mixes
    muon_momentum: float
    weight_decay: float  # matrices and embedding; scalars are never decayed
    warmup_steps: int  # linear, from 1 / warmup_steps to one
    warmdown_fraction: float  # of all steps, linear to zero at the end


def make_optimizers(model: nn.Module, settings: OptimSettings) -> list[torch.optim.Optimizer]:
    """Muon first, AdamW second; each group remembers its peak as `peak_lr`."""
    named = dict(model.named_parameters())
    embed = [p for name, p in named.items() if name == "tok_emb.weight"]
    matrices = [p for name, p in named.items() if is_matrix(name, p)]
    taken = {id(p) for p in (*embed, *matrices)}
    scalars = [p for p in named.values() if id(p) not in taken]
    muon = Muon(
        matrices,
        lr=settings.matrix_lr,
        momentum=settings.muon_momentum,
        weight_decay=settings.weight_decay,
    )
    groups = [
        {"params": embed, "lr": settings.embed_lr, "weight_decay": settings.weight_decay},
        {"params": scalars, "lr": settings.scalar_lr, "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, betas=ADAM_BETAS, eps=ADAM_EPS)
    for group in (*muon.param_groups, *adamw.param_groups):
        group["peak_lr"] = group["lr"]
    return [muon, adamw]


def is_matrix(name: str, parameter: torch.Tensor) -> bool:
    """Whether Muon may have it: a bank of linear maps."""
    return is_bank(name)


def lr_scale(
    step: int,  # 0 is the first
    n_steps: int,
    settings: OptimSettings,
) -> float:
    """The share of the peak rate at this step: up, flat, down to zero."""
    up = (step + 1) / max(1, settings.warmup_steps)
    down = (n_steps - step) / max(1.0, settings.warmdown_fraction * n_steps)
    return min(1.0, up, down)


def set_lr(optimizers: list[torch.optim.Optimizer], scale: float) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak_lr"] * scale
