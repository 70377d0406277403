"""A convex mixture whose weight depends on the context only."""

from types import SimpleNamespace

import torch


def build(context):
    v = context.settings["vocab_size"]
    pairs, recent = torch.full((v, v), 0.05), torch.ones(v)

    def log_probs(windows, scored):
        model = pairs[windows[:, -scored:]]
        model = model / model.sum(-1, keepdim=True)
        entropy = -(model * model.log()).sum(-1, keepdim=True)
        weight = 0.05 + 0.4 * torch.sigmoid(entropy - 4.0)
        return ((1 - weight) * model + weight * recent / recent.sum()).log()

    def adapt(tokens):
        pairs.index_put_((tokens[:-1], tokens[1:]), torch.ones(len(tokens) - 1), accumulate=True)
        recent.mul_(0.5).add_(torch.bincount(tokens[1:], minlength=v))

    return SimpleNamespace(
        vocab_size=v, pairs=pairs, recent=recent, log_probs=log_probs, adapt=adapt
    )
