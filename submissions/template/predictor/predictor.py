"""A predictor to copy: what followed each token so far, backed off to how often each token came.

It never holds the stream. For each chunk the referee asks for distributions, keeps the score, and
only then hands the scored tokens to `adapt`: what this file does in between is yours to change.
"""

import json

import sentencepiece as spm
import torch
from torch import Tensor

from harness.predictor import PredictorContext


class Counts:
    """Adaptive bigram counts. Your model, its weights and its caches go here."""

    def __init__(self, context: PredictorContext) -> None:
        # The artifact is the only thing that training may leave you: here two numbers, each the
        # count that a shorter context is worth. A model would load its weights.
        self.weights = json.loads(context.artifact.read_text())
        self.vocab_size = spm.SentencePieceProcessor(model_file=str(context.tokenizer)).vocab_size()
        self.followers = torch.zeros(self.vocab_size, self.vocab_size)  # (V, V) [last, next]
        self.seen = torch.zeros(self.vocab_size)  # (V,)

    def log_probs(
        self,
        windows: Tensor,  # (B, L) int64, stretches of the stream
        scored: int,  # how many trailing positions of each row are asked for
    ) -> Tensor:  # (B, scored, V) float32, nats; row [b, -scored + i] is for the *next* token
        """Changes nothing, and looks at each row's own prefix only: here at its last token."""
        p = torch.full_like(self.seen, 1 / self.vocab_size)
        p = _mixed(self.seen, p, self.weights["unigram"])
        return _mixed(self.followers[windows[:, -scored:]], p, self.weights["bigram"]).log()

    def adapt(
        self,
        tokens: Tensor,  # (n + 1,) int64, the token before the chunk, then the chunk just scored
    ) -> None:
        """Learns from tokens whose scores are final. Train your model here, as long as you like."""
        one = torch.ones(len(tokens) - 1)
        self.followers.index_put_((tokens[:-1], tokens[1:]), one, accumulate=True)
        self.seen.index_put_((tokens[1:],), one, accumulate=True)


def _mixed(counts: Tensor, shorter: Tensor, weight: float) -> Tensor:
    """Sums to one where `shorter` does: no token's share is taken without dividing by all."""
    return (counts + weight * shorter) / (counts.sum(dim=-1, keepdim=True) + weight)


def build(context: PredictorContext) -> Counts:
    """The factory that submission.json names."""
    return Counts(context)
