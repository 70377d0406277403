"""Interpolated Kneser-Ney on exact counts of what was scored. Each row sums to one."""

import torch

DISCOUNT = 0.75


class KneserNey:
    def __init__(self, context):
        self.vocab_size = v = context.settings["vocab_size"]
        self.pairs = torch.zeros(v, v)

    def log_probs(self, windows, scored):
        kinds = (self.pairs > 0).sum(0) + 0.5
        shorter = kinds / kinds.sum()
        rows = self.pairs[windows[:, -scored:]]
        total = rows.sum(-1, keepdim=True)
        spared = DISCOUNT * (rows > 0).sum(-1, keepdim=True)
        known = ((rows - DISCOUNT).clamp(min=0) + spared * shorter) / total.clamp(min=1)
        return torch.where(total > 0, known, shorter).log()

    def adapt(self, tokens):
        ones = torch.ones(len(tokens) - 1)
        self.pairs.index_put_((tokens[:-1], tokens[1:]), ones, accumulate=True)
