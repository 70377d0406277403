"""Bits per byte on a validation stream, by one plain pass.

Windows of seq_len that do not overlap; each token after the first is predicted exactly once. Nats
are summed in float64 and divided by ln 2 and by the bytes of the very targets that were scored, so
the number does not depend on the tokenizer. Special tokens cost nats and count zero bytes.

Does not cover: sliding windows, adaptation, and proof of anything; the harness does those.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reference_model.data.byte_count import ByteTable
from reference_model.gpt import GPT

WINDOWS_PER_BATCH = 32  # 32 x 256 x 1,024 float32 logits are 32 MiB


@dataclass(frozen=True)
class ValidationLoss:
    nats: float  # summed over all targets
    n_tokens: int  # targets scored
    n_bytes: int  # of text those targets stand for

    @property
    def bits_per_byte(self) -> float:
        return self.nats / math.log(2) / self.n_bytes


@torch.inference_mode()
def evaluate(
    model: GPT,
    tokens: np.ndarray,  # (T,) integer ids, T >= 2
    byte_table: ByteTable,
) -> ValidationLoss:
    model.eval()
    ids = torch.from_numpy(np.asarray(tokens).astype(np.int64))
    nats = 0.0
    for inputs, targets in _windows(ids, model.config.seq_len):
        nats += _nats(model, inputs, targets)
    n_bytes = int(byte_table.count(tokens[:-1], tokens[1:]).sum())
    return ValidationLoss(nats, len(ids) - 1, n_bytes)


def _nats(model: GPT, inputs: Tensor, targets: Tensor) -> float:
    """Summed loss of one batch, float64."""
    device = next(model.parameters()).device
    log_probs = model.forward_logits(inputs.to(device)).double().log_softmax(-1)
    return -log_probs.gather(-1, targets.to(device)[..., None]).sum().item()


def _windows(ids: Tensor, seq_len: int):
    """Batches of whole windows, then the shorter rest as a window of its own."""
    inputs, targets = ids[:-1], ids[1:]
    whole = len(inputs) // seq_len * seq_len
    rows = zip(
        inputs[:whole].view(-1, seq_len).split(WINDOWS_PER_BATCH),
        targets[:whole].view(-1, seq_len).split(WINDOWS_PER_BATCH),
        strict=True,
    )
    yield from rows
    if whole < len(inputs):
        yield inputs[None, whole:], targets[None, whole:]
