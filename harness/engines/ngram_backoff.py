"""N-gram backoff over a neural predictor, the recipe of #1185, exact and normalised.

p = (1 - a) p_model + a p_ngram, where p_ngram comes from the highest order whose exact context has
been seen, smoothed by adding one over the whole alphabet, and a = 0.08 + 0.65 sigmoid(2 (H - 3.5))
from the model's own entropy H in nats: context only, never the target (rules NORM-4, CAUSAL-2).
Counts learn from scored chunks alone. Both parts sum to one, so the mixture does. The counts and
their cost are `context_counts`'.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from harness.engines.context_counts import BREAK, ContextCounts
from harness.engines.recipes import TTTSettings
from harness.engines.score_first_ttt import ScoreFirstTTT
from harness.engines.settings import read_settings
from harness.engines.sliding_window import SlidingWindow
from harness.errors import ContractError
from harness.predictor import PredictorContext


@dataclass(frozen=True)
class NgramSettings(TTTSettings):
    """Hyperparameters; the defaults are #1185's. Those of TTT count when `over` asks for it."""

    over: str = "score_first_ttt"  # or "sliding_window": the neural predictor below
    min_order: int = 2  # an order n predicts from n - 1 tokens
    max_order: int = 9  # NGRAM_ORDER
    across_chunks: bool = False  # contexts reach into the chunk before; #1185 begins each anew
    alpha_base: float = 0.08  # NGRAM_ALPHA_BASE
    alpha_range: float = 0.65  # NGRAM_ALPHA_RANGE
    alpha_slope: float = 2.0
    alpha_center: float = 3.5  # nats of entropy at which half of the range is used

    def alpha(self, entropy: Tensor) -> Tensor:  # (...) nats -> (...) weight of the counts
        """The share of the n-gram distribution in the mixture."""
        return self.alpha_base + self.alpha_range * torch.sigmoid(
            self.alpha_slope * (entropy - self.alpha_center)
        )


class NgramBackoff:
    """A neural predictor mixed with exact counts."""

    def __init__(self, neural: SlidingWindow, settings: NgramSettings) -> None:
        self.neural = neural
        self.vocab_size = neural.vocab_size
        self._settings = settings
        self._counts = ContextCounts(settings.min_order, settings.max_order)

    def log_probs(self, windows: Tensor, scored: int) -> Tensor:  # -> (B, scored, V) float32, nats
        """The mixture at the last `scored` positions of each window."""
        log_p = self.neural.log_probs(windows, scored)
        flat = log_p.flatten(0, 1)
        nodes = self._counts.match(_contexts(windows, scored, self._settings.max_order - 1))
        known = torch.from_numpy(np.flatnonzero(nodes)).to(flat.device)
        flat[known] = self._mixed(flat[known], nodes[nodes != 0])
        return log_p

    def adapt(self, tokens: Tensor) -> None:
        """Counts and, where declared, weights learn from the scored chunk."""
        self._counts.learn(tokens.cpu().numpy(), joined=self._settings.across_chunks)
        self.neural.adapt(tokens)

    def _mixed(
        self,
        log_p: Tensor,  # (n, V) nats, of the model
        nodes: np.ndarray,  # (n,) int64 the context that answers for each row
    ) -> Tensor:
        """log((1 - alpha) p + alpha (counts + 1) / (total + V)), (n, V) nats."""
        p = log_p.exp()
        alpha = self._settings.alpha(-(p * log_p).sum(-1))
        totals = torch.from_numpy(self._counts.total(nodes)).to(p)
        share = alpha / (totals + self.vocab_size)  # of one count
        row, token, count = (
            torch.from_numpy(x).to(p.device) for x in self._counts.followers(nodes)
        )
        p = p * (1 - alpha)[:, None] + share[:, None]
        return p.index_put_((row, token), share[row] * count, accumulate=True).log()


def _contexts(windows: Tensor, scored: int, width: int) -> np.ndarray:
    """(B x scored, width) int64, the tokens up to each scored position; BREAK before the window."""
    padded = F.pad(windows, (width - 1, 0), value=BREAK)
    return padded.unfold(1, width, 1)[:, -scored:].flatten(0, 1).cpu().numpy()


def ngram_backoff(context: PredictorContext) -> NgramBackoff:
    """Factory."""
    settings = read_settings(NgramSettings, context.settings, "ngram_backoff")
    ttt = TTTSettings(
        **{f.name: getattr(settings, f.name) for f in dataclasses.fields(TTTSettings)}
    )
    if settings.over not in ("sliding_window", "score_first_ttt"):
        raise ContractError(f"`over` is {settings.over!r}; sliding_window or score_first_ttt")
    if not 2 <= settings.min_order <= settings.max_order:
        raise ContractError(
            f"orders {settings.min_order} to {settings.max_order}: an order n predicts from n - 1"
            " tokens, so the least is 2, and min_order is at most max_order"
        )
    neural = (
        SlidingWindow(context, ttt)
        if settings.over == "sliding_window"
        else ScoreFirstTTT(context, ttt)
    )
    return NgramBackoff(neural, settings)
