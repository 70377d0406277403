"""The plain engine: a frozen model under a sliding window. Track A, a fixed predictor.

The window geometry is the referee's; this engine only answers. Learns nothing.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from harness.engines.settings import read_settings
from harness.predictor import PredictorContext
from reference_model.artifact import load_artifact


class SlidingWindow:
    """The artifact's model, evaluated as it is."""

    def __init__(self, context: PredictorContext) -> None:
        self.model, self.metadata = load_artifact(context.artifact, device=context.device)
        self.vocab_size: int = self.model.config.vocab_size

    def log_probs(
        self,
        windows: Tensor,  # (B, L) int64
        scored: int,
    ) -> Tensor:  # (B, scored, V) float32, nats
        """Log-softmax of the model's logits at the last `scored` positions."""
        self.model.eval()
        logits = self.model.forward_logits(windows)[:, -scored:]
        return torch.log_softmax(logits.float(), dim=-1)

    def adapt(self, tokens: Tensor) -> None:
        """A fixed predictor learns nothing."""


@dataclass(frozen=True)
class NoSettings:
    """The engine has no hyperparameters of its own."""


def sliding_window(context: PredictorContext) -> SlidingWindow:
    """Factory."""
    read_settings(NoSettings, context.settings, "sliding_window")
    return SlidingWindow(context)
