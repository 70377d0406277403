"""Lempel-Ziv's idea as a mixture: one expert points at a token, another keeps all alive."""

import torch

LONGEST = 6


class Match:
    def __init__(self, context):
        self.vocab_size = context.settings["vocab_size"]
        self.counts = torch.ones(self.vocab_size)
        self.followers = {}  # the last 2..6 tokens -> what came next, lately
        self.hits, self.tries = [1] * (LONGEST + 1), [3] * (LONGEST + 1)

    def pointed(self, past):
        for n in range(min(LONGEST, len(past)), 1, -1):
            token = self.followers.get(tuple(past[-n:]))
            if token is not None:
                return n, token
        return 0, 0

    def log_probs(self, windows, scored):
        p = (self.counts / self.counts.sum()).repeat(len(windows), scored, 1)
        for b, window in enumerate(windows.tolist()):
            for i in range(scored):
                end = len(window) - scored + i + 1
                n, token = self.pointed(window[max(0, end - LONGEST) : end])
                if n:
                    weight = self.hits[n] / self.tries[n]
                    p[b, i] *= 1 - weight
                    p[b, i, token] += weight
        return p.log()

    def adapt(self, tokens):
        stream = tokens.tolist()
        for i in range(2, len(stream)):
            n, token = self.pointed(stream[max(0, i - LONGEST) : i])
            self.tries[n] += 1
            self.hits[n] += token == stream[i]
            for length in range(2, min(LONGEST, i) + 1):
                self.followers[tuple(stream[i - length : i])] = stream[i]
        self.counts += torch.bincount(tokens[1:], minlength=self.vocab_size)
