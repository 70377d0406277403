"""p'(v) = p(v) e^(b [v = hint]) / Z, with Z in closed form. The hint is what last followed."""

import math

import torch


class Tilt:
    def __init__(self, context):
        self.vocab_size = v = int(context.settings["vocab_size"])
        self.boost = float(context.settings["boost"])
        self.counts = torch.ones(v)
        self.followed_by = torch.full((v,), -1)

    def log_probs(self, windows, scored):
        p = self.counts / self.counts.sum()
        hint = self.followed_by[windows[:, -scored:]]
        known = (hint >= 0).float()
        hint = hint.clamp(min=0)
        log_z = torch.log1p(known * p[hint] * math.expm1(self.boost))
        rows = p.log() - log_z[..., None]
        return rows.scatter_add(-1, hint[..., None], known[..., None] * self.boost)

    def adapt(self, tokens):
        self.counts += torch.bincount(tokens[1:], minlength=self.vocab_size)
        for a, b in zip(tokens[:-1].tolist(), tokens[1:].tolist(), strict=True):
            self.followed_by[a] = b
