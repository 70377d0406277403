"""Exponential weights over experts. Past losses are scores that are final: nothing looks ahead."""

import torch

HALF_LIVES = (1.0, 0.5, 0.1)


class Hedge:
    def __init__(self, context):
        self.vocab_size = context.settings["vocab_size"]
        self.experts = [torch.ones(self.vocab_size) for _ in HALF_LIVES]
        self.log_weights = torch.zeros(len(HALF_LIVES))

    def rows(self):
        return torch.stack([(c / c.sum()).log() for c in self.experts])

    def log_probs(self, windows, scored):
        weights = self.log_weights.log_softmax(0)
        row = (self.rows() + weights[:, None]).logsumexp(0)
        return row.repeat(len(windows), scored, 1)

    def adapt(self, tokens):
        self.log_weights += self.rows()[:, tokens[1:]].sum(1)
        seen = torch.bincount(tokens[1:], minlength=self.vocab_size)
        for i, keep in enumerate(HALF_LIVES):
            self.experts[i] = 1 + keep * (self.experts[i] - 1) + seen
