"""Geometric mixing with an explicit sum over the alphabet."""

import torch
import torch.nn.functional as F


class Product:
    def __init__(self, context):
        v = self.vocab_size = context.settings["vocab_size"]
        self.one_back, self.two_back = torch.full((v, v), 0.2), torch.full((v, v), 0.2)

    def log_probs(self, windows, scored):
        before = F.pad(windows[:, :-1], (1, 0))
        a = self.one_back[windows[:, -scored:]].log()
        b = self.two_back[before[:, -scored:]].log()
        joint = a - a.logsumexp(-1, keepdim=True) + 0.5 * (b - b.logsumexp(-1, keepdim=True))
        return joint - joint.logsumexp(-1, keepdim=True)

    def adapt(self, tokens):
        for table, back in ((self.one_back, 1), (self.two_back, 2)):
            pair = (tokens[:-back], tokens[back:])
            table.index_put_(pair, torch.ones(len(tokens) - back), accumulate=True)
