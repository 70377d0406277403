"""Less than one is a wasteful code, and a code all the same."""

import torch


class Waste:
    def __init__(self, context):
        self.vocab_size = context.settings["vocab_size"]
        self.counts = torch.full((self.vocab_size,), 0.1)

    def log_probs(self, windows, scored):
        row = 0.9 * self.counts / self.counts.sum()
        return row.log().repeat(len(windows), scored, 1)

    def adapt(self, tokens):
        self.counts += torch.bincount(tokens[1:], minlength=self.vocab_size)
