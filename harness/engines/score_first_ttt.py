"""Score-first test-time training, the recipe of the merged record #549 (framework: #461).

Each chunk is scored under inference_mode (the host turns it on), then trained on: SGD with
momentum, a few epochs over the chunk's sequences, learning rate on a cosine over chunks, gradients
clipped. The referee never calls `adapt` after the last chunk. Covers one process; not ranks.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from harness.engines.settings import read_settings
from harness.engines.sliding_window import SlidingWindow
from harness.predictor import PredictorContext


@dataclass(frozen=True)
class TTTSettings:
    """Hyperparameters; the defaults are #549's (TTT_* environment switches of its train_gpt.py)."""

    lr: float = 0.002
    momentum: float = 0.9
    epochs: int = 3
    grad_clip: float = 1.0
    freeze_blocks: int = 0  # first blocks left alone: 0 in #549, 2 in #461 and #537
    batch_seqs: int = 32  # sequences per step


class ScoreFirstTTT(SlidingWindow):
    """A sliding window over a model that trains on what it has paid for."""

    def __init__(self, context: PredictorContext, settings: TTTSettings) -> None:
        super().__init__(context)
        self.settings = settings
        self._seq_len = context.geometry.seq_len
        self._n_chunks = context.geometry.n_chunks
        self._chunk = 0
        self.model.freeze_blocks(settings.freeze_blocks)
        self._trained = [p for p in self.model.parameters() if p.requires_grad]
        self._optimizer = torch.optim.SGD(self._trained, lr=settings.lr, momentum=settings.momentum)

    def adapt(self, tokens: Tensor) -> None:  # (n + 1,) int64
        """Trains on one scored chunk; a remainder shorter than a sequence is left out (#549)."""
        self._set_lr()
        self._chunk += 1
        usable = (len(tokens) - 1) // self._seq_len * self._seq_len
        inputs = tokens[:usable].reshape(-1, self._seq_len)
        targets = tokens[1 : usable + 1].reshape(-1, self._seq_len)
        self.model.train()
        for _ in range(self.settings.epochs):
            for i in range(0, len(inputs), self.settings.batch_seqs):
                j = i + self.settings.batch_seqs
                self._step(inputs[i:j], targets[i:j])

    def _step(self, inputs: Tensor, targets: Tensor) -> None:  # (B, L) int64 each
        self._optimizer.zero_grad(set_to_none=True)
        self.model(inputs, targets).backward()
        nn.utils.clip_grad_norm_(self._trained, self.settings.grad_clip)
        self._optimizer.step()

    def _set_lr(self) -> None:
        """Cosine over chunks, from the full rate to zero."""
        progress = self._chunk / max(self._n_chunks - 1, 1)
        lr = self.settings.lr * 0.5 * (1 + math.cos(math.pi * progress))
        for group in self._optimizer.param_groups:
            group["lr"] = lr


def score_first_ttt(context: PredictorContext) -> ScoreFirstTTT:
    """Factory."""
    return ScoreFirstTTT(context, read_settings(TTTSettings, context.settings, "score_first_ttt"))
