"""Which windows of the training tokens a step sees: a pure function of seed and step.

Each epoch cuts the stream into windows of seq_len + 1 from a fresh random offset and visits them in
a fresh random order: for a corpus that is seen more than once. (`shard_stream` reads on and on.)
Guarantees: no state, so resuming at step n needs only n; within an epoch no window comes twice.
Does not cover: document boundaries; windows cross them as in the challenge.
"""

from collections.abc import Iterable
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

    def at(
        self,
        step: int,
        rows: Iterable[int] | None = None,  # of the batch; None: all
    ) -> tuple[Tensor, Tensor]:
        """Inputs and targets of the step's windows, each (len(rows), seq_len) int64."""
        rows = range(self.batch_size) if rows is None else rows
        draws = [step * self.batch_size + row for row in rows]
        orders = {epoch: self._starts(epoch) for epoch in {d // self.n_windows for d in draws}}
        starts = [orders[d // self.n_windows][d % self.n_windows] for d in draws]
        return cut_windows([self.tokens[s : s + self.seq_len + 1] for s in starts])

    def _starts(self, epoch: int) -> np.ndarray:
        """(n_windows,) where each window of the epoch begins, in the order it is visited."""
        rng = np.random.default_rng((self.seed, epoch))
        offset = int(rng.integers(self.seq_len))
        return offset + self.seq_len * rng.permutation(self.n_windows)


def cut_windows(
    windows: list[np.ndarray],  # each (T + 1,) uint16
) -> tuple[Tensor, Tensor]:
    """Inputs and targets, each (len(windows), T) int64."""
    ids = torch.from_numpy(np.stack(windows).astype(np.int64))
    return ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
