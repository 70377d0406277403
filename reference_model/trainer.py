"""The training loop: steps, checkpoints, and coming back after a kill.

A step is a function of weights, optimiser state, average and step number: batches and learning
rates derive from the seed and the number. So a checkpoint is those four, and a run that was killed
and resumed ends, on CPU with the same number of threads, in the same bits as one that was not.

Guarantees: checkpoints are replaced whole and hold tensors and numbers only (no code runs when one
is read). Does not cover: several devices, and bit-equality on a GPU.
"""

import os
import pickle
from pathlib import Path

import numpy as np
import torch

from reference_model.batches import Batches
from reference_model.ema import EMA
from reference_model.gpt import GPT
from reference_model.optim import lr_scale, make_optimizers, set_lr
from reference_model.presets import Preset


class TrainingError(Exception):
    """The run cannot start or go on; the message says what to do."""


class Trainer:
    """One run in memory; `step` counts the steps that are done."""

    def __init__(
        self,
        preset: Preset,
        tokens: np.ndarray,  # (N,) uint16, the training stream
        seed: int,
        device: torch.device,
    ):
        torch.manual_seed(seed)
        self.preset, self.device, self.step = preset, device, 0
        self.batches = Batches(tokens, preset.batch_size, preset.config.seq_len, seed)
        self.model = GPT(preset.config).to(device)  # built on CPU: the same start on every device
        self.optimizers = make_optimizers(self.model, preset.optim)
        self.ema = EMA(self.model, preset.ema_decay)

    def train_step(self) -> float:
        """One update; the batch's loss before it, nats per token. Raises once that is no number."""
        self.model.train()
        set_lr(self.optimizers, lr_scale(self.step, self.preset.n_steps, self.preset.optim))
        tokens, targets = (part.to(self.device) for part in self.batches.at(self.step))
        bf16 = self.device.type == "cuda"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=bf16):
            loss = self.model(tokens, targets)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss at step {self.step} is {loss.item()}: the training diverged; "
                "lower the preset's learning rates, or try another --seed"
            )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.preset.grad_clip)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.ema.update(self.model)
        self.step += 1
        return loss.item()

    def save(self, path: Path) -> None:
        state = {
            "step": self.step,
            "model": self.model.state_dict(),
            "ema": self.ema.weights,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        partial = path.with_name(f".{path.name}.partial")
        torch.save(state, partial)
        os.replace(partial, path)

    def load(self, path: Path) -> None:
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.ema.load(state["ema"])
            for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(saved)
            self.step = state["step"]
        except (RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError) as error:
            raise TrainingError(
                f"{path}: the checkpoint cannot be read ({error}); delete it to start over"
            ) from error
