"""Which windows of the training tokens a step sees: a pure function of seed and step.

Each epoch cuts the stream into windows of seq_len + 1 from a fresh random offset and visits them in
a fresh random order. Guarantees: no state, so resuming at step n needs only n; within an epoch no
window comes twice. Does not cover: document boundaries; windows cross them as in the challenge.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reference_model.data.errors import DataError


@dataclass(frozen=True, eq=False)
class Batches:
    tokens: np.ndarray  # (N,) uint16, the training stream
    batch_size: int  # windows a step
    seq_len: int  # tokens a window
    seed: int

    def __post_init__(self) -> None:
        if self.n_windows < 1:
            raise DataError(
                f"{self.tokens.size} training tokens are too few for windows of {self.seq_len}; "
                f"at least {2 * self.seq_len} are needed"
            )

    @property
    def n_windows(self) -> int:
        """Windows in one epoch; the random offset takes up to one window off."""
        return (self.tokens.size - self.seq_len) // self.seq_len

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of the step, each (batch_size, seq_len) int64."""
        draws = range(step * self.batch_size, (step + 1) * self.batch_size)
        orders = {epoch: self._starts(epoch) for epoch in {d // self.n_windows for d in draws}}
        starts = [orders[d // self.n_windows][d % self.n_windows] for d in draws]
        rows = np.stack([self.tokens[s : s + self.seq_len + 1] for s in starts]).astype(np.int64)
        windows = torch.from_numpy(rows)
        return windows[:, :-1], windows[:, 1:]

    def _starts(self, epoch: int) -> np.ndarray:
        """(n_windows,) where each window of the epoch begins, in the order it is visited."""
        rng = np.random.default_rng((self.seed, epoch))
        offset = int(rng.integers(self.seq_len))
        return offset + self.seq_len * rng.permutation(self.n_windows)
