"""The prefix ends where the scored positions begin; a later token of it is no future of theirs."""

import torch


class PrefixBag:
    def __init__(self, context):
        self.vocab_size = context.settings["vocab_size"]
        self.counts = torch.ones(self.vocab_size)

    def log_probs(self, windows, scored):
        prior = (self.counts / self.counts.sum())[None]
        prefix = windows[:, : windows.shape[1] - scored]
        bag = torch.zeros(len(windows), self.vocab_size)
        bag.scatter_add_(1, prefix, torch.ones(prefix.shape))
        row = (bag + 32 * prior) / (bag.sum(1, keepdim=True) + 32)
        return row.log()[:, None].repeat(1, scored, 1)

    def adapt(self, tokens):
        self.counts.index_add_(0, tokens[1:], torch.ones(len(tokens) - 1))
