"""How a stream is cut into chunks, and a chunk into sliding windows that each score their tail.

    position   0 1 2 3 4 5 6 7 8 9 ...          seq_len 4, stride 2
    window 0  [i i i i]                         scores 1 2 3 4   (the first window is scored whole)
    window 1      [i i i i]                     scores 5 6
    window 2          [i i i i]                 scores 7 8       (i: a token given as input)

The contest's rule (main `eval_val_sliding`, stride 64; adaptation chunks as in #549). Guarantees,
by property test: every position 1..T-1 is scored exactly once, in order; a window reaches at most
to the token before its last target; no batch needs more rows than one slab carries.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.arrays import Tokens
from harness.predictor import SLAB_BYTES, Geometry

# Windows per question, the contest's EVAL_BATCH_SEQS (default in 224 of 283 scripts that read it).
BATCH_WINDOWS = 32


@dataclass(frozen=True)
class Batch:
    """Windows of one shape, asked in one message."""

    first_target: int  # position scored by the first row of the first window
    n_windows: int
    length: int  # tokens per window
    scored: int  # trailing positions scored per window

    @property
    def targets(self) -> range:
        """Positions scored, in order."""
        return range(self.first_target, self.first_target + self.n_windows * self.scored)

    @property
    def last_input(self) -> int:
        """The last position given as input anywhere in the batch."""
        return self.targets.stop - 2

    def inputs(self, tokens: Tokens) -> Tokens:
        """(n_windows, length) int64 - the windows, cut out of a stream."""
        ends = self.first_target + self.scored * (1 + np.arange(self.n_windows)) - 1
        windows: Tokens = tokens[ends[:, None] - self.length + np.arange(self.length)]
        return windows


@dataclass(frozen=True)
class Chunk:
    """Positions start..stop-1, scored before anything learns from them."""

    index: int
    start: int
    stop: int
    batches: tuple[Batch, ...]


def chunks(geometry: Geometry, vocab_size: int) -> Iterator[Chunk]:
    """Cuts a stream of `geometry.stream_tokens` tokens."""
    max_rows = SLAB_BYTES // (4 * vocab_size)
    for index in range(geometry.n_chunks):
        start = 1 + index * geometry.chunk_tokens
        stop = min(start + geometry.chunk_tokens, geometry.stream_tokens)
        spans = list(_spans(start, stop, geometry, max_rows))
        yield Chunk(index, start, stop, tuple(_batched(spans, geometry, max_rows)))


def _spans(start: int, stop: int, geometry: Geometry, max_rows: int) -> Iterator[range]:
    """Stretches of targets, one per window."""
    first = geometry.seq_len if start == 1 else geometry.stride
    end = start
    while end < stop:
        step = first if end == start else geometry.stride
        begin, end = end, min(end + min(step, max_rows), stop)
        yield range(begin, end)


def _batched(spans: list[range], geometry: Geometry, max_rows: int) -> Iterator[Batch]:
    """Joins neighbouring windows of one shape."""
    shapes = [(min(geometry.seq_len, span.stop - 1), len(span)) for span in spans]
    i = 0
    while i < len(spans):
        length, scored = shapes[i]
        most = max(1, min(BATCH_WINDOWS, max_rows // scored))
        n = 1
        while n < most and i + n < len(spans) and shapes[i + n] == shapes[i]:
            n += 1
        yield Batch(spans[i].start, n, length, scored)
        i += n
