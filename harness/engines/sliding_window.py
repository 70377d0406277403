"""The plain engine: a frozen model under a sliding window. Track A, a fixed predictor.

The window geometry is the referee's; this engine only answers. Learns nothing. On a GPU activations
are bfloat16, as the records have them, and `compiled` fuses the forward of the shape that nearly
all windows have; other shapes run as written, since each would be compiled anew.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.attention import sdpa_kernel

from harness.engines.settings import read_settings
from harness.predictor import PredictorContext
from reference_model.artifact import load_artifact
from reference_model.trainer import ATTENTION


@dataclass(frozen=True)
class WindowSettings:
    """What every engine over the reference model can be told."""

    compiled: bool = False  # torch.compile: takes about a minute, then pays on a GPU


class SlidingWindow:
    """The artifact's model, evaluated as it is."""

    def __init__(self, context: PredictorContext, settings: WindowSettings) -> None:
        self.model, self.metadata = load_artifact(context.artifact, device=context.device)
        if torch.device(context.device).type == "cuda":
            self.model.compute_dtype = torch.bfloat16
        self.vocab_size: int = self.model.config.vocab_size
        self._geometry = context.geometry
        answer = self._answer
        self._fast = torch.compile(answer, dynamic=False) if settings.compiled else answer
        self._fast_shape: torch.Size | None = None

    def log_probs(
        self,
        windows: Tensor,  # (B, L) int64
        scored: int,
    ) -> Tensor:  # (B, scored, V) float32, nats
        """Log-softmax of the model's logits at the last `scored` positions."""
        self.model.eval()
        answer = self._fast if self._is_usual(windows, scored) else self._answer
        with sdpa_kernel(ATTENTION, set_priority=True):
            rows: Tensor = answer(windows, scored)
        return rows

    def adapt(self, tokens: Tensor) -> None:
        """A fixed predictor learns nothing."""

    def _answer(self, windows: Tensor, scored: int) -> Tensor:
        logits = self.model.forward_logits(windows)[:, -scored:]
        return torch.log_softmax(logits.float(), dim=-1)

    def _is_usual(self, windows: Tensor, scored: int) -> bool:
        """Full windows that score one stride each, as many as came first."""
        if (windows.shape[1], scored) != (self._geometry.seq_len, self._geometry.stride):
            return False
        self._fast_shape = self._fast_shape or windows.shape
        return windows.shape == self._fast_shape


def sliding_window(context: PredictorContext) -> SlidingWindow:
    """Factory."""
    settings = read_settings(WindowSettings, context.settings, "sliding_window")
    return SlidingWindow(context, settings)
