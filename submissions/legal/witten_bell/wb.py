"""Contexts are keys of a dictionary, not hashes; escape mass goes to the next shorter context."""

from collections import Counter, defaultdict

import numpy as np
import torch

ORDERS = (0, 1, 2)


class WittenBell:
    def __init__(self, vocab_size):
        self.vocab_size = vocab_size
        self.counts = defaultdict(Counter)

    def row(self, context):
        p = np.full(self.vocab_size, 1 / self.vocab_size)
        for n in ORDERS:
            seen = self.counts.get(tuple(context[len(context) - n :]))
            if seen and len(context) >= n:
                total, kinds = sum(seen.values()), len(seen)
                p *= kinds / (total + kinds)
                p[list(seen)] += np.array(list(seen.values())) / (total + kinds)
        return p

    def log_probs(self, windows, scored):
        rows = [
            [self.row(w[max(0, e - 2) : e]) for e in range(len(w) - scored + 1, len(w) + 1)]
            for w in windows.tolist()
        ]
        return torch.from_numpy(np.log(rows)).float()

    def adapt(self, tokens):
        stream = tokens.tolist()
        for i in range(1, len(stream)):
            for n in ORDERS:
                if i >= n:
                    self.counts[tuple(stream[i - n : i])][stream[i]] += 1


def build(context):
    return WittenBell(context.settings["vocab_size"])
