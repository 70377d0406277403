"""Score-first test-time training, the recipe of the merged record #549 (framework: #461).

Each chunk is scored under inference_mode (the host turns it on), then trained on: SGD with
momentum, some epochs over the chunk's sequences, learning rate on a cosine over chunks and, where
declared, on another inside each chunk, gradients clipped. The referee never calls `adapt` after the
last chunk. The public recipes are in `recipes`. Covers one process; not ranks.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import sdpa_kernel

from harness.engines.recipes import RECIPES, TTTSettings
from harness.engines.settings import read_settings
from harness.engines.sliding_window import SlidingWindow
from harness.errors import ContractError
from harness.predictor import PredictorContext
from reference_model.trainer import ATTENTION


@dataclass(frozen=True)
class Batch:
    """One optimiser step's sequences."""

    inputs: Tensor  # (B, L) int64
    targets: Tensor  # (B, L) int64, the tokens that follow


class ScoreFirstTTT(SlidingWindow):
    """A sliding window over a model that trains on what it has paid for."""

    def __init__(self, context: PredictorContext, settings: TTTSettings) -> None:
        super().__init__(context, settings)
        self.settings = settings
        self._chunk = 0
        self.model.freeze_blocks(settings.freeze_blocks)
        self._optimizer = torch.optim.SGD(
            self._groups(),
            lr=settings.lr,
            momentum=settings.momentum,
            fused=torch.device(context.device).type == "cuda",
        )
        self._trained = [p for group in self._optimizer.param_groups for p in group["params"]]
        model = self.model
        self._fast_model = torch.compile(model, dynamic=False) if settings.compiled else model
        self._loss_shape: torch.Size | None = None

    def adapt(self, tokens: Tensor) -> None:  # (n + 1,) int64
        """Trains on one scored chunk; a remainder shorter than a sequence is left out (#549)."""
        batches = list(self._batches(tokens))
        n_steps = len(batches) * self.settings.epochs
        self.model.train()
        with sdpa_kernel(ATTENTION, set_priority=True):
            for step in range(n_steps):
                self._set_lr(step / n_steps)
                self._step(batches[step % len(batches)])
        self._chunk += 1

    def _groups(self) -> list[dict[str, Any]]:
        """Parameters that train, by the factor of their learning rate."""
        s = self.settings
        factors = {"mlp_down_bank": s.mlp_out_factor, "mlp_up_bank": s.mlp_in_factor}
        groups: dict[float, list[nn.Parameter]] = {}
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                groups.setdefault(factors.get(name, 1.0), []).append(parameter)
        return [{"params": params, "factor": factor} for factor, params in groups.items()]

    def _batches(self, tokens: Tensor) -> Iterator[Batch]:
        seq_len, n = self._geometry.seq_len, self.settings.batch_seqs
        usable = (len(tokens) - 1) // seq_len * seq_len
        inputs = tokens[:usable].reshape(-1, seq_len)
        targets = tokens[1 : usable + 1].reshape(-1, seq_len)
        for i in range(0, len(inputs), n):
            yield Batch(inputs[i : i + n], targets[i : i + n])

    def _step(self, batch: Batch) -> None:
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self._loss(batch))
        nn.utils.clip_grad_norm_(self._trained, self.settings.grad_clip)
        self._optimizer.step()

    def _loss(self, batch: Batch) -> Tensor:  # () nats per token
        self._loss_shape = self._loss_shape or batch.inputs.shape
        usual = batch.inputs.shape == self._loss_shape
        model = self._fast_model if usual else self.model
        loss: Tensor = model(batch.inputs, batch.targets)
        return loss

    def _set_lr(self, progress_in_chunk: float) -> None:
        """Cosine over chunks, from the full rate to zero; times that in the chunk, if declared."""
        s = self.settings
        scale = _cosine(self._chunk / max(self._geometry.n_chunks - 1, 1))
        if s.cosine_in_chunk:
            scale *= _cosine(progress_in_chunk)
        for group in self._optimizer.param_groups:
            group["lr"] = s.lr * group["factor"] * scale


def _cosine(progress: float) -> float:  # 0..1 -> 1..0
    return 0.5 * (1 + math.cos(math.pi * progress))


def score_first_ttt(context: PredictorContext) -> ScoreFirstTTT:
    """Factory. `recipe` names one of RECIPES; settings beside it replace the recipe's."""
    settings = dict(context.settings)
    recipe = str(settings.pop("recipe", "record_549"))
    if recipe not in RECIPES:
        raise ContractError(f"`recipe` is {recipe!r}; there are {', '.join(RECIPES)}")
    declared = asdict(RECIPES[recipe]) | settings
    return ScoreFirstTTT(context, read_settings(TTTSettings, declared, "score_first_ttt"))
