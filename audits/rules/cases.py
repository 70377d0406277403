"""The frame that every VALID and INVALID case is put into: a model, the two shard globs, a score.

Guarantees: a case is a whole script that the scanner reads like any other.
Does not cover: running it; nothing here is meant to run.
"""

from __future__ import annotations

from textwrap import dedent

_FRAME = """
import copy, glob, math, os
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def forward(self, x, y=None):
        return F.cross_entropy(self.head(self.embed(x)), y)


def load(pattern):
    return torch.cat([torch.from_numpy(np.fromfile(path)) for path in sorted(glob.glob(pattern))])


def batch(stream, start):
    piece = stream[start : start + 513]
    return piece[:-1], piece[1:]


train_tokens = load("data/fineweb_train_*.bin")
val_tokens = load("data/fineweb_val_*.bin")
byte_table = torch.tensor([1, 2, 3])
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loss_sum, token_count, byte_count = torch.zeros(()), torch.zeros(()), torch.zeros(())


def add(loss, y):
    global loss_sum, token_count, byte_count
    loss_sum += loss.sum()
    token_count += y.numel()
    byte_count += byte_table[y].sum()


"""
_REPORT = """
val_loss = loss_sum / token_count
print("val_bpb", (val_loss / math.log(2.0)) * (token_count / byte_count))
"""


def script(body: str) -> str:
    """A whole script around the lines that matter."""
    return _FRAME.lstrip() + dedent(body).strip("\n") + "\n" + _REPORT


def losses_added(change: str) -> str:
    """A script that adds up `change`, an expression of the losses `nll` of each chunk."""
    return script(f"""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            nll = F.cross_entropy(model(x), y, reduction="none")
            add({change}, y)
    """)
