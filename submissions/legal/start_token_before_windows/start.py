"""Each window is read behind a learned start vector by a small recurrence."""

import torch
from torch import nn


class WithStart:
    def __init__(self, context):
        self.vocab_size = v = context.settings["vocab_size"]
        torch.manual_seed(0)
        self.gru = nn.GRU(16, 16, batch_first=True)
        self.embed = nn.Embedding(v + 1, 16)
        self.head = nn.Linear(16, v)
        self.optimizer = torch.optim.Adam(
            [*self.gru.parameters(), *self.embed.parameters(), *self.head.parameters()], lr=0.01
        )

    def logits(self, ids):
        start = torch.full_like(ids[:, :1], self.vocab_size)
        hidden, _ = self.gru(self.embed(torch.cat([start, ids], dim=1)))
        return self.head(hidden[:, 1:])

    def log_probs(self, windows, scored):
        return self.logits(windows)[:, -scored:].log_softmax(-1)

    def adapt(self, tokens):
        n = (len(tokens) - 1) // 64 * 64
        x, y = tokens[:n].view(-1, 64), tokens[1 : n + 1].view(-1, 64)
        loss = nn.functional.cross_entropy(self.logits(x).flatten(0, 1), y.flatten())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
