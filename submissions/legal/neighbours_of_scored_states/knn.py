"""A datastore of the past (kNN-LM). Its keys and values were scored before they were stored."""

import torch
import torch.nn.functional as F

KEEP, NEAREST = 4096, 8


class Neighbours:
    def __init__(self, vocab_size, seed):
        self.vocab_size = vocab_size
        draw = torch.Generator().manual_seed(seed)
        self.vectors = torch.randn(vocab_size, 12, generator=draw)
        self.keys, self.values = torch.zeros(0, 36), torch.zeros(0, dtype=torch.int64)

    def states(self, ids):  # (n,) -> (n, 36): the last three tokens, the latest loudest
        v = self.vectors[ids]
        one, two = F.pad(v, (0, 0, 1, 0))[:-1], F.pad(v, (0, 0, 2, 0))[:-2]
        return torch.cat([3 * v, 2 * one, two], dim=1)

    def log_probs(self, windows, scored):
        found = torch.full((len(windows), scored, self.vocab_size), 1 / self.vocab_size)
        if len(self.keys):
            for row, ids in zip(found, windows, strict=True):
                near = torch.cdist(self.states(ids)[-scored:], self.keys).topk(
                    NEAREST, largest=False
                )
                votes = torch.softmax(-near.values, dim=1)
                row.mul_(0.3).scatter_add_(1, self.values[near.indices], 0.7 * votes)
        return found.log()

    def adapt(self, tokens):
        self.keys = torch.cat([self.keys, self.states(tokens[:-1])])[-KEEP:]
        self.values = torch.cat([self.values, tokens[1:]])[-KEEP:]


def build(context):
    return Neighbours(context.settings["vocab_size"], context.seed)
