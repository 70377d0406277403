"""Source texts of predictors for the tests: an honest counter, and bodies to spoil it with."""

# A bigram counter, mixed with a unigram one: causal, normalised, learns from `adapt` only.
COUNTER = """
import torch

class Counter:
    def __init__(self, context):
        self.vocab_size = V = 1024
        self.pairs = torch.full((V, V), 0.01)
        self.singles = torch.full((V,), 0.1)

    def log_probs(self, windows, scored):
        last = windows[:, -scored:]
        pairs = self.pairs[last]
        p = 0.7 * pairs / pairs.sum(-1, keepdim=True) + 0.3 * self.singles / self.singles.sum()
        return p.log()

    def adapt(self, tokens):
        one = torch.ones(len(tokens) - 1)
        self.pairs.index_put_((tokens[:-1], tokens[1:]), one, accumulate=True)
        self.singles.index_put_((tokens[1:],), one, accumulate=True)
"""

HONEST = COUNTER + "build = Counter\n"


def counter_with(body: str) -> str:
    """The counter with some of its methods replaced; `super()` is the honest one."""
    return COUNTER + "class build(Counter):\n" + body


def uniform_with(body: str) -> str:
    """A fixed uniform predictor with a weight `w` and a buffer `seen`, around a scoring body."""
    return f"""
import os, time
import torch
from torch import nn

class build(nn.Module):
    def __init__(self, context):
        super().__init__()
        self.vocab_size = 1024
        self.w = nn.Parameter(torch.zeros(1024))
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("noise", torch.zeros(()))
        self.inner = nn.Identity()

    def rows(self, windows, scored):
        rows = torch.log_softmax(self.w.detach(), -1).expand(len(windows), scored, 1024)
        return self.inner(rows).clone()

    def log_probs(self, windows, scored):
{body}

    def adapt(self, tokens):
        pass
"""
