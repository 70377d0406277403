"""The same tables that are illegal as probabilities are fine as a feature: the softmax divides."""

import torch


class Additive:
    def __init__(self, context):
        self.vocab_size = context.settings["vocab_size"]
        self.size = context.settings["buckets"]
        self.pair, self.single = torch.zeros(self.size), torch.zeros(self.size)
        self.unigram = torch.ones(self.vocab_size)
        self.ids = torch.arange(self.vocab_size)

    def keys(self, last, token):
        return (last * 31337 ^ token * 65599) % self.size

    def log_probs(self, windows, scored):
        last = windows[:, -scored:, None]
        q = (self.pair[self.keys(last, self.ids)] + 0.01) / (self.single[last % self.size] + 1)
        return (self.unigram.log() + 0.5 * q.log()).log_softmax(-1)

    def adapt(self, tokens):
        last, token = tokens[:-1], tokens[1:]
        ones = torch.ones(len(last))
        self.pair.index_put_((self.keys(last, token),), ones, accumulate=True)
        self.single.index_put_((last % self.size,), ones, accumulate=True)
        self.unigram += torch.bincount(token, minlength=self.vocab_size)
