"""Training windows straight from the shards, in order: how the record family reads ten billion.

A step takes eight spans, one after the other; a span is an eighth of the step's windows laid end to
end, and one token more, the last window's last target. These are the very batches of #549 on any
number of processes (there, each process's part of each micro-batch is a span). After the last shard
comes the first.

Guarantees: no state, so resuming at step n needs only n; shards are mapped, not read: a step costs
its own tokens. Does not cover: an order other than the files', and document boundaries.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from reference_model.batches import cut_windows
from reference_model.data.errors import DataError

SPANS = 8  # a step, #549


@dataclass(frozen=True, eq=False)
class ShardStream:
    shards: tuple[np.ndarray, ...]  # each (N,) uint16
    batch_size: int  # windows a step
    seq_len: int  # tokens a window

    def __post_init__(self) -> None:
        if self.batch_size % SPANS:
            raise DataError(f"{self.batch_size} windows a step do not divide by {SPANS}")
        if self.n_tokens < self.span:
            raise DataError(f"{self.n_tokens} training tokens are fewer than a span of {self.span}")

    @property
    def n_tokens(self) -> int:
        return sum(shard.size for shard in self.shards)

    @property
    def span(self) -> int:
        """Tokens."""
        return self.batch_size // SPANS * self.seq_len + 1

    def at(
        self,
        step: int,
        rows: Iterable[int] | None = None,  # of the batch; None: all
    ) -> tuple[Tensor, Tensor]:
        """Inputs and targets of the step's windows, each (len(rows), seq_len) int64."""
        rows = range(self.batch_size) if rows is None else rows
        return cut_windows([self._window(step, row) for row in rows])

    def _window(self, step: int, row: int) -> np.ndarray:  # -> (seq_len + 1,) uint16
        span, place = divmod(row, self.batch_size // SPANS)
        start = (step * SPANS + span) * self.span + place * self.seq_len
        return self._tokens(start % self.n_tokens, self.seq_len + 1)

    def _tokens(self, start: int, n: int) -> np.ndarray:
        """(n,) uint16 from `start` on, over the ends of shards."""
        parts, shard = [], 0
        while start >= self.shards[shard].size:
            start, shard = start - self.shards[shard].size, shard + 1
        while n > 0:
            parts.append(self.shards[shard % len(self.shards)][start : start + n])
            n, start, shard = n - parts[-1].size, 0, shard + 1
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
