"""Context mixing over the bits of an id, as in PAQ: products along a tree are a distribution."""

import torch

BITS = 10


class Bits:
    def __init__(self, context):
        self.vocab_size = context.settings["vocab_size"]
        assert self.vocab_size == 1 << BITS
        ids = torch.arange(self.vocab_size)
        levels = torch.arange(BITS)
        self.node = (1 << levels) + (ids[:, None] >> (BITS - levels))  # (V, BITS) nodes on the way
        self.bit = ids[:, None] >> (BITS - 1 - levels) & 1
        self.ones = torch.full((64, 2 * self.vocab_size), 0.4)  # [class of the last token, node]
        self.both = torch.full((64, 2 * self.vocab_size), 0.8)

    def log_probs(self, windows, scored):
        p = (self.ones / self.both)[:, self.node]  # (64, V, BITS)
        rows = torch.where(self.bit == 1, p, 1 - p).log().sum(-1)
        return rows[windows[:, -scored:] % 64]

    def adapt(self, tokens):
        where = (tokens[:-1, None] % 64).expand(-1, BITS)
        nodes, bits = self.node[tokens[1:]], self.bit[tokens[1:]].float()
        self.ones.index_put_((where, nodes), bits, accumulate=True)
        self.both.index_put_((where, nodes), torch.ones_like(bits), accumulate=True)
