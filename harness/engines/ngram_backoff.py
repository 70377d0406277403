"""N-gram backoff over a neural predictor, the recipe of #1185, exact and normalised.

p = (1 - a) p_model + a p_ngram, where p_ngram comes from the highest order whose exact context has
been seen, smoothed by adding one over the whole alphabet, and a = 0.08 + 0.65 sigmoid(2 (H - 3.5))
from the model's own entropy H in nats: context only, never the target (rules NORM-4, CAUSAL-2).
Tables learn from scored chunks alone. Both parts sum to one, so the mixture does.
"""

import dataclasses
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness.engines.score_first_ttt import ScoreFirstTTT, TTTSettings
from harness.engines.settings import read_settings
from harness.engines.sliding_window import SlidingWindow
from harness.errors import ContractError
from harness.predictor import PredictorContext


@dataclass(frozen=True)
class NgramSettings(TTTSettings):
    """Hyperparameters; the defaults are #1185's. Those of TTT count when `over` asks for it."""

    over: str = "score_first_ttt"  # or "sliding_window": the neural predictor below
    min_order: int = 2  # an order n predicts from n - 1 tokens
    max_order: int = 9
    alpha_base: float = 0.08
    alpha_range: float = 0.65
    alpha_slope: float = 2.0
    alpha_center: float = 3.5  # nats of entropy at which half of the range is used


class CountTables:
    """How often each token followed each exact context, per order."""

    def __init__(self, min_order: int, max_order: int) -> None:
        self._orders = range(max_order, min_order - 1, -1)
        self._counts: dict[bytes, dict[int, int]] = defaultdict(dict)
        self._tail: npt.NDArray[np.int64] = np.empty(0, np.int64)

    def lookup(self, context: npt.NDArray[np.int64]) -> dict[int, int] | None:
        """Counts after the longest known suffix of a context; None where nothing is known."""
        raw = context.tobytes()
        for order in self._orders:
            start = len(raw) - 8 * (order - 1)
            if start >= 0 and (counts := self._counts.get(raw[start:])) is not None:
                return counts
        return None

    def learn(self, tokens: npt.NDArray[np.int64]) -> None:  # (n + 1,) int64
        """Adds the tokens after the first; contexts reach back into earlier chunks."""
        stream = np.concatenate([self._tail, tokens])
        raw = stream.tobytes()
        for position in range(len(stream) - len(tokens) + 1, len(stream)):
            target = int(stream[position])
            for order in self._orders:
                if position >= order - 1:
                    counts = self._counts[raw[8 * (position - order + 1) : 8 * position]]
                    counts[target] = counts.get(target, 0) + 1
        self._tail = stream[max(len(stream) - self._orders.start, 0) : -1]


class NgramBackoff:
    """A neural predictor mixed with exact counts."""

    def __init__(self, neural: SlidingWindow, settings: NgramSettings) -> None:
        self.neural = neural
        self.vocab_size = neural.vocab_size
        self._settings = settings
        self._tables = CountTables(settings.min_order, settings.max_order)

    def log_probs(self, windows: Tensor, scored: int) -> Tensor:  # -> (B, scored, V) float32, nats
        """The mixture at the last `scored` positions of each window."""
        log_p = self.neural.log_probs(windows, scored)
        p = log_p.exp()
        alpha = self._alpha(-(p * log_p).sum(-1))
        for b, window in enumerate(windows.cpu().numpy()):
            for i in range(scored):
                end = len(window) - scored + i + 1
                context = window[max(0, end - self._settings.max_order + 1) : end]
                counts = self._tables.lookup(context)
                if counts is not None:
                    _mix(p[b, i], alpha[b, i], counts)
        return p.log()

    def adapt(self, tokens: Tensor) -> None:
        """Tables and, where declared, weights learn from the scored chunk."""
        self._tables.learn(tokens.cpu().numpy())
        self.neural.adapt(tokens)

    def _alpha(self, entropy: Tensor) -> Tensor:  # (B, scored) nats -> weight in [0, 1]
        s = self._settings
        return s.alpha_base + s.alpha_range * torch.sigmoid(
            s.alpha_slope * (entropy - s.alpha_center)
        )


def _mix(p: Tensor, alpha: Tensor, counts: dict[int, int]) -> None:  # p: (V,), changed in place
    """p <- (1 - alpha) p + alpha (counts + 1) / (total + V)."""
    denominator = sum(counts.values()) + len(p)
    p.mul_(1 - alpha).add_(alpha / denominator)
    ids = torch.tensor(list(counts), device=p.device)
    add = torch.tensor(list(counts.values()), device=p.device, dtype=p.dtype)
    p[ids] += alpha * add / denominator


def ngram_backoff(context: PredictorContext) -> NgramBackoff:
    """Factory."""
    settings = read_settings(NgramSettings, context.settings, "ngram_backoff")
    ttt = TTTSettings(
        **{f.name: getattr(settings, f.name) for f in dataclasses.fields(TTTSettings)}
    )
    if settings.over not in ("sliding_window", "score_first_ttt"):
        raise ContractError(f"`over` is {settings.over!r}; sliding_window or score_first_ttt")
    neural = (
        SlidingWindow(context) if settings.over == "sliding_window" else ScoreFirstTTT(context, ttt)
    )
    return NgramBackoff(neural, settings)
