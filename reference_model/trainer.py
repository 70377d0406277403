"""The training loop's step, its checkpoints, and coming back after a kill.

A step is a function of weights, optimiser state, averages, step number and, on a budget of seconds,
of the seconds used: windows and rates derive from them. So a checkpoint is those, and a run by
steps that was killed and resumed ends, on CPU with the same number of threads, in the same bits as
one that was not.

One step: (quantised weights in) -> micro-batches forward and backward -> (own weights back) ->
(CROWN-Q) -> clip, Muon and AdamW -> averages. Nothing is read back from a GPU; whoever wants the
loss waits for it (`loss_value`).

Guarantees: checkpoints are replaced whole and hold tensors and numbers only (no code runs when one
is read). Does not cover: when to stop and what to log (`train`), bit-equality on a GPU.
"""

import os
import pickle
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from reference_model.crown import crown_penalty
from reference_model.ema import EMA
from reference_model.gpt import GPT
from reference_model.optim import Optimizers, group_names
from reference_model.prefetch import Prefetch, Source
from reference_model.presets import Preset
from reference_model.qat import StraightThrough
from reference_model.quantize import BITS, tensor_class
from reference_model.ranks import Ranks
from reference_model.stopwatch import Stopwatch
from reference_model.swa import SWA

# Fastest first where a GPU has them; a CPU takes what it can of these.
ATTENTION = [
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
]


class TrainingError(Exception):
    """The run cannot start or go on; the message says what to do."""


class Trainer:
    """One run in memory; `step` counts the steps that are done."""

    def __init__(self, preset: Preset, source: Source, seed: int, ranks: Ranks):
        torch.manual_seed(seed)
        self.preset, self.ranks, self.step = preset, ranks, 0
        self.warmdown = 1.0  # the learning-rate scale of the last step, as far as it is late
        self.model = GPT(preset.config).to(ranks.device)  # built on CPU: the same start everywhere
        if ranks.device.type == "cuda":
            self.model.compute_dtype = torch.bfloat16
        self.run_model = self.model  # what is called: the model, or its compiled form
        if preset.compiled:
            self.run_model = torch.compile(self.model, dynamic=False, fullgraph=True)
        self.windows = Prefetch(source, ranks.rows(preset.batch_size), ranks.device)
        self._start_state()
        self.clock = Stopwatch()

    def warm_up(self) -> None:
        """Take a few steps, so that all is compiled and allocated, and undo them."""
        weights = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        for _ in range(self.preset.discarded_steps):
            self.train_step()
        with torch.no_grad():
            for name, p in self.model.named_parameters():
                p.copy_(weights[name])
        self.step = 0
        self._start_state()

    def train_step(self) -> Tensor:
        """One update; () float32 on the device: this process's part of the batch's mean loss."""
        self.model.train()
        self._set_rates()
        quantized = self.warmdown < self.preset.late.qat_below
        if quantized:
            self.qat.replace()
        loss = self._backward()
        if quantized:
            self.qat.restore()
        if self.warmdown < self.preset.late.crown_below:
            banks = [self.named[name] for name in group_names(self.named)["banks"]]
            weight = self.preset.late.crown_weight / self.ranks.n_ranks  # gradients are summed
            (weight * crown_penalty(banks)).backward()
        self.optimizers.step()
        self.optimizers.zero_grad()
        self.step += 1
        self._average()
        return loss

    def loss_value(self, loss: Tensor) -> float:
        """The whole batch's mean, nats per token; raises TrainingError once that is no number."""
        value = self.ranks.total(loss.clone()).item()
        if value != value or value in (float("inf"), float("-inf")):
            raise TrainingError(
                f"the loss at step {self.step - 1} is {value}: the training diverged; "
                "lower the preset's learning rates, or try another --seed"
            )
        return value

    def shipped_weights(self) -> dict[str, Tensor]:
        """Name -> float32: what the recipe's averaging says."""
        if self.preset.averaging.ships == "swa" and (mean := self.swa.mean()):
            return mean
        if self.preset.averaging.ships == "ema":
            return self.ema.weights
        return {name: p.detach().float() for name, p in self.named.items()}

    def save(self, path: Path) -> None:
        """Every process must call it (optimiser state is gathered); the first one writes."""
        state = {
            "step": self.step,
            "elapsed_s": self.clock.seconds,
            "model": self.model.state_dict(),
            "ema": self.ema.weights if self.ema else {},
            "swa": {"n": self.swa.n_samples, "total": self.swa.total},
            "optimizers": self.optimizers.state(),
        }
        if self.ranks.leads:
            partial = path.with_name(f".{path.name}.partial")
            torch.save(state, partial)
            os.replace(partial, path)

    def load(self, path: Path) -> None:
        try:
            state = torch.load(path, map_location=self.ranks.device, weights_only=True)
            self.model.load_state_dict(state["model"])
            if self.ema:
                self.ema.load(state["ema"])
            self.swa.n_samples, self.swa.total = state["swa"]["n"], state["swa"]["total"]
            self.optimizers.load(state["optimizers"])
            self.step = state["step"]
            self.clock = Stopwatch(state["elapsed_s"])
        except (RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError) as error:
            raise TrainingError(
                f"{path}: the checkpoint cannot be read ({error}); delete it to start over"
            ) from error

    # -----------------------------------------------------------------------------------------
    # parts of a step

    def _start_state(self) -> None:
        """Everything but the weights, as at the first step."""
        preset = self.preset
        self.named = dict(self.model.named_parameters())
        self.optimizers = Optimizers(self.model, preset.optim)
        averaging = preset.averaging
        self.ema = EMA(self.model, averaging.ema_decay) if averaging.ema_decay else None
        self.swa = SWA(averaging.swa_every, averaging.swa_below)
        classes = {n: tensor_class(n, p.shape, preset.quant) for n, p in self.named.items()}
        matrices = group_names(self.named)["banks"]
        self.qat = StraightThrough(self.named, {n: BITS[classes[n]] for n in matrices})

    def _set_rates(self) -> None:
        schedule, budget_s = self.preset.schedule, self.preset.training_s
        elapsed_s = 0.0 if budget_s is None else self.ranks.agree(self.clock.seconds)
        self.warmdown = schedule.warmdown(self.step, elapsed_s, budget_s)
        scale = schedule.lr_scale(self.step, elapsed_s, budget_s)
        self.optimizers.set(scale, schedule.momentum_at(self.step))

    def _backward(self) -> Tensor:
        """Gradients of this process's part of the mean loss; that part, () float32."""
        inputs, targets = self.windows.at(self.step)
        n = self.preset.micro_windows
        total = torch.zeros((), device=self.ranks.device)
        with sdpa_kernel(ATTENTION, set_priority=True):
            for x, y in zip(inputs.split(n), targets.split(n), strict=True):
                loss = self.run_model(x, y) * (len(x) / self.preset.batch_size)
                loss.backward()
                total += loss.detach()
        return total

    def _average(self) -> None:
        averaging = self.preset.averaging
        if self.ema:
            self.ema.update(self.model)
        if averaging.swa_every and self.swa.wants(self.step, self.warmdown):
            self.swa.add(self.ema.weights if averaging.swa_of == "ema" and self.ema else self.named)
