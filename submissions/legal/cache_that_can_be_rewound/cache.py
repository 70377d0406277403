"""A cache changes while it answers, which is legal: it holds functions of the context alone."""

import torch


class Memo:
    def __init__(self, context):
        self.vocab_size = context.settings["vocab_size"]
        self.pairs = torch.full((self.vocab_size, self.vocab_size), 0.1)
        self.memo = {}

    def snapshot(self):
        return dict(self.memo)

    def restore(self, state):
        self.memo = state

    def row(self, last):
        if last not in self.memo:
            counts = self.pairs[last]
            self.memo[last] = (counts / counts.sum()).log()
        return self.memo[last]

    def log_probs(self, windows, scored):
        return torch.stack(
            [torch.stack([self.row(t) for t in w[-scored:]]) for w in windows.tolist()]
        )

    def adapt(self, tokens):
        self.memo.clear()
        pairs = (tokens[:-1], tokens[1:])
        self.pairs.index_put_(pairs, torch.ones(len(tokens) - 1), accumulate=True)
