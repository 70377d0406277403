"""Choosing on final scores is learning; choosing on the tokens to be scored would be a leak."""

import torch

TRIED = (0.7, 0.85, 1.0, 1.2, 1.5)


class Calibrated:
    def __init__(self, context):
        self.vocab_size = context.settings["vocab_size"]
        self.pairs = torch.ones(self.vocab_size, self.vocab_size)
        self.losses = dict.fromkeys(TRIED, 0.0)

    def rows(self, ids, power):
        return (power * self.pairs[ids].log()).log_softmax(-1)

    def log_probs(self, windows, scored):
        return self.rows(windows[:, -scored:], min(self.losses, key=self.losses.get))

    def adapt(self, tokens):
        last, token = tokens[:-1], tokens[1:]
        for power in TRIED:
            self.losses[power] -= self.rows(last, power).gather(1, token[:, None]).sum().item()
        self.pairs.index_put_((last, token), torch.ones(len(last)), accumulate=True)
