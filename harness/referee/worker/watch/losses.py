"""Losses: what each target cost, and the moment at which that cost enters a sum.

A loss call gives every element a stream position (that of its target). A *score* is recorded when
such elements are summed or read out without a gradient: sliding windows compute a loss for the
whole window and sum only its tail, so the call alone says too much. Known spellings: cross_entropy,
nll_loss, log_softmax + gather, softmax + gather. A sum that carries a gradient is training, not a
score.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from harness.referee.worker.watch.traces import LossRecord, Traces, members, storage_numel

SOFTMAX = {"log_softmax": "log", "_log_softmax": "log", "softmax": "prob", "_softmax": "prob"}
LOSSES = ("cross_entropy_loss", "nll_loss_forward", "nll_loss", "nll_loss_nd")
COMMITS = ("sum", "mean", "_local_scalar_dense")
LIBRARIES = ("harness.", "torch.", "reference_model.")  # frames that are not the submission's
HALF = (torch.bfloat16, torch.float16)


class Losses:
    """Turns loss operators into commits. `on_commit(positions, record)` receives each."""

    def __init__(self, on_commit: Callable[[list[int], LossRecord], None]) -> None:
        self.traces = Traces()
        self._on_commit = on_commit

    def observe(self, name: str, args: Any, outputs: list[Tensor]) -> None:
        """Looks at one finished operator."""
        if name in SOFTMAX and outputs:
            self.traces.of(outputs[0]).log_probs = SOFTMAX[name]
        elif name in LOSSES and outputs:
            self._loss(name, args, outputs[0])
        elif name == "gather" and outputs:
            self._gather(args, outputs[0])
        elif name in COMMITS and args and isinstance(args[0], Tensor):
            self._commit(args[0])

    def _loss(self, name: str, args: Any, out: Tensor) -> None:
        scores, target = args[0].detach(), args[1]
        positions = self.traces.positions(target)
        if positions is None or scores.ndim != 2 or target.ndim != 1:
            return
        log_p = torch.log_softmax(scores.double(), -1) if name == "cross_entropy_loss" else scores
        nats = -log_p.double().gather(1, target.clamp(0, scores.shape[1] - 1)[:, None])[:, 0]
        record = self._record(args[0], positions, nats)
        if out.numel() == target.numel():
            self._attach(out, positions, record)
        elif not _wants_grad(args[0]):
            self._on_commit(sorted(record.nats), record)

    def _gather(self, args: Any, out: Tensor) -> None:
        source = self.traces.find(args[0])
        positions = self.traces.positions(args[2])
        if source is None or not source.log_probs or positions is None:
            return
        value = out.detach().double()
        nats = -value if source.log_probs == "log" else -value.log()
        self._attach(out, positions, self._record(args[0], positions, nats))

    def _record(self, scores: Tensor, positions: Tensor, nats: Tensor) -> LossRecord:
        trace = self.traces.find(scores)
        pairs = zip(positions.reshape(-1).tolist(), nats.reshape(-1).tolist(), strict=True)
        return LossRecord(
            nats={p: n for p, n in pairs if p >= 0},
            learned=trace.learned if trace else 0,
            how=trace.how if trace else "",
            inference_mode=torch.is_inference_mode_enabled(),
            grad_mode=torch.is_grad_enabled(),
            coarse=scores.dtype in HALF,
            site=_site(),
        )

    def _attach(self, out: Tensor, positions: Tensor, record: LossRecord) -> None:
        trace = self.traces.of(out)
        if storage_numel(out) == positions.numel():
            trace.elements = positions.reshape(-1).clone()
            trace.loss = record

    def _commit(self, tensor: Tensor) -> None:
        trace = self.traces.find(tensor)
        if trace is None or trace.loss is None or _wants_grad(tensor):
            return
        positions = self.traces.positions(tensor)
        if positions is not None:
            committed = [p for p in positions.reshape(-1).tolist() if p >= 0]
            self._on_commit(committed, trace.loss)


def _wants_grad(tensor: Tensor) -> bool:
    return tensor.requires_grad and torch.is_grad_enabled()


def _site() -> str:
    """file:line of the innermost frame that is the submission's own code."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and _is_library(frame):
        frame = frame.f_back
    if frame is None:
        return ""
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def _is_library(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    file = frame.f_code.co_filename
    return module.startswith(LIBRARIES) or file.startswith((sys.prefix, sys.base_prefix, "<"))


def learned_among(record: LossRecord, positions: list[int]) -> list[int]:
    """Scored positions whose tokens the weights had already learned."""
    known = set(members(record.learned))
    return [p for p in positions if p in known]
