"""bfloat16 rounds a logit of 7 by up to 0.02; the row still sums to one."""

import torch
import torch.nn.functional as F
from torch import nn


class Half:
    def __init__(self, context):
        self.vocab_size = v = context.settings["vocab_size"]
        self.embed = nn.Embedding(v, 24, dtype=torch.bfloat16)
        self.head = nn.Linear(24, v, dtype=torch.bfloat16)

    def logits(self, ids):
        mixed = self.embed(ids)
        mixed = mixed + 0.5 * F.pad(mixed, (0, 0, 1, 0))[:, :-1]
        return self.head(torch.tanh(mixed)).float()

    def log_probs(self, windows, scored):
        return F.log_softmax(self.logits(windows)[:, -scored:], dim=-1)

    def adapt(self, tokens):
        weights = [*self.embed.parameters(), *self.head.parameters()]
        for x, y in zip(tokens[:-1].split(128), tokens[1:].split(128), strict=True):
            loss = F.cross_entropy(self.logits(x[None])[0], y)
            for w, g in zip(weights, torch.autograd.grad(loss, weights), strict=True):
                w.data -= (0.5 * g).to(w.dtype)
