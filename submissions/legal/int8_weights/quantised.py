"""Rounding is part of the model: the row that is scored is the one that the bytes give."""

import torch


class Quantised:
    def __init__(self, context):
        self.vocab_size = v = context.settings["vocab_size"]
        self.master = torch.zeros(v, v)
        self.round()

    def round(self):
        self.scale = self.master.abs().amax(1, keepdim=True).clamp(min=1e-6) / 127
        self.bytes = (self.master / self.scale).round().to(torch.int8)

    def log_probs(self, windows, scored):
        ids = windows[:, -scored:]
        return (self.bytes[ids] * self.scale[ids]).log_softmax(-1)

    def adapt(self, tokens):
        for x, y in zip(tokens[:-1].split(64), tokens[1:].split(64), strict=True):
            p = self.master[x].softmax(-1)
            p[torch.arange(len(y)), y] -= 1
            self.master.index_add_(0, x, -0.7 * p)
        self.round()
