"""Collisions blur a row and cost the author bits; they add no mass."""

import torch


class Rows:
    def __init__(self, context):
        self.vocab_size = context.settings["vocab_size"]
        self.buckets = context.settings["buckets"]
        self.table = torch.full((self.buckets, self.vocab_size), 0.01)

    def key(self, before_last, last):
        return (before_last * 7919 ^ last * 104729) % self.buckets

    def log_probs(self, windows, scored):
        before_last = torch.roll(windows, 1, dims=1)
        before_last[:, 0] = 0
        rows = self.table[self.key(before_last, windows)[:, -scored:]]
        return rows.log() - rows.sum(-1, keepdim=True).log()

    def adapt(self, tokens):
        keys = self.key(tokens[:-2], tokens[1:-1])
        self.table.index_put_((keys, tokens[2:]), torch.ones(len(keys)), accumulate=True)
