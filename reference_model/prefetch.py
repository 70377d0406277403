"""The next step's windows, made ready while this step computes.

One thread cuts windows and, for a GPU, puts them into pinned memory; they are sent without waiting.
Guarantees: step n's windows are those that the source gives for n, whatever was asked before.
Does not cover: more than one step ahead: cutting takes milliseconds, a step takes hundreds.
"""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import torch
from torch import Tensor

Windows = tuple[Tensor, Tensor]  # inputs and targets, each (B, T) int64


class Source(Protocol):
    def at(self, step: int, rows: Iterable[int] | None = None) -> Windows: ...


class Prefetch:
    def __init__(self, source: Source, rows: range, device: torch.device):
        self.source, self.rows, self.device = source, rows, device
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self.ahead: dict[int, Future[Windows]] = {}  # by step, at most one

    def at(self, step: int) -> Windows:
        """On the device; raises what the source raises."""
        ready = self.ahead.pop(step, None)
        inputs, targets = ready.result() if ready else self._cut(step)
        self.ahead = {step + 1: self.worker.submit(self._cut, step + 1)}
        return (
            inputs.to(self.device, non_blocking=True),
            targets.to(self.device, non_blocking=True),
        )

    def close(self) -> None:
        self.worker.shutdown(cancel_futures=True)

    def _cut(self, step: int) -> Windows:
        inputs, targets = self.source.at(step, self.rows)
        if self.device.type == "cuda":
            return inputs.pin_memory(), targets.pin_memory()
        return inputs, targets
