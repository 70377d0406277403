"""Updates: gradients of losses over stream positions, and optimiser steps.

A loss whose graph is alive carries its positions on its autograd node; when a gradient is taken,
the graph is walked from the root down to such nodes. `torch.autograd.backward` and
`torch.autograd.grad` are wrapped, `Optimizer.step` is heard through torch's global hooks (also in
subclasses). An update by hand (`p.data.add_`) is seen as a `write` by the weights' fingerprint.
"""

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.overrides import TorchFunctionMode

from harness.inside.hooks.dynamo_compat import mode_off, trace_as, untraced
from harness.inside.hooks.recording.position_maps import Positions
from harness.inside.hooks.recording.recorder import Recorder
from harness.inside.hooks.recording.unfinished import AwaitedTotal
from harness.inside.hooks.torch.louder_steps import LouderSteps
from harness.protocol.position_runs import position_runs
from harness.protocol.schema import EventKind

KEY = "positions"
NODES = 5_000  # autograd nodes looked at before a root counts as having no known loss


def await_reading(
    recorder: Recorder, loss: Tensor, total: AwaitedTotal, positions: Positions
) -> None:
    """A total that carries a gradient: it counts once it is read, and its autograd node keeps the
    positions that a gradient would be taken of.
    """
    recorder.awaited.put(loss, total)
    if loss.grad_fn is not None:
        metadata: Any = loss.grad_fn.metadata
        metadata[KEY] = position_runs(positions)


def losses_under(roots: list[Tensor]) -> npt.NDArray[np.int32]:
    """(n, 2) runs of all losses in the graph of some roots."""
    found = []
    waiting = deque(r.grad_fn for r in roots if isinstance(r, Tensor) and r.grad_fn is not None)
    seen: set[Any] = set(waiting)
    while waiting and len(seen) < NODES:
        node = waiting.popleft()
        metadata: Any = node.metadata
        noted = metadata.get(KEY)
        if noted is not None:
            found.append(noted)
            continue
        for below, _ in node.next_functions:
            if below is not None and below not in seen:
                seen.add(below)
                waiting.append(below)
    return np.concatenate(found) if found else np.zeros((0, 2), np.int32)


class Updates:
    """Hears gradients and steps while installed."""

    def __init__(
        self,
        recorder: Recorder,
        mode: TorchFunctionMode,
        rate_times: float = 1.0,  # of steps that learn from the stream
    ) -> None:
        self._recorder, self._mode = recorder, mode
        self._gradients = 0  # that were taken
        self._louder = LouderSteps(rate_times)
        self._backward: Any = torch.autograd.backward
        self._grad: Any = torch.autograd.grad
        self._ours = {"backward": self._heard(self._backward), "grad": self._heard(self._grad)}
        torch.autograd.backward = self._ours["backward"]
        torch.autograd.grad = self._ours["grad"]
        self._hooks = [
            register_optimizer_step_pre_hook(untraced(self._before_step)),
            register_optimizer_step_post_hook(untraced(self._after_step)),
        ]

    def close(self) -> None:
        """Takes everything back, and notes what was taken away before."""
        if self._gradients:
            self._recorder.event(EventKind.GRADIENTS, tokens=self._gradients)
        for name, ours in self._ours.items():
            if getattr(torch.autograd, name) is not ours:
                self._recorder.event(EventKind.UNHOOKED, f"torch.autograd.{name}")
        torch.autograd.backward = self._backward
        torch.autograd.grad = self._grad
        for hook in self._hooks:
            hook.remove()

    def _heard(self, function: Any) -> Any:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            roots = args[0] if args else kwargs.get("tensors", kwargs.get("outputs"))
            self._recorder.guarded("backward", self._taken, roots)
            with mode_off(self._mode):  # as in `Tensor.backward`; compiled backwards are made here
                return function(*args, **kwargs)

        return trace_as(wrapped, function)

    def _taken(self, roots: Any) -> None:
        if not self._gradients:
            self._recorder.event(EventKind.GRADIENT)
        self._gradients += 1
        if not self._recorder.awaited.puts:
            return  # no node carries anything: a walk takes a quarter of a small model's training
        uses = losses_under([roots] if isinstance(roots, Tensor) else list(roots))
        if len(uses):
            tokens = int((uses[:, 1] - uses[:, 0]).sum())
            self._louder.learns_from_stream = True
            event = self._recorder.event(EventKind.BACKWARD, tokens=tokens)
            self._recorder.uses(event, uses)

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self._recorder.guarded("step", self._held, optimizer)

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self._recorder.guarded("step", self._stepped, optimizer)

    def _held(self, optimizer: Any) -> None:
        for parameter in _parameters(optimizer):
            self._recorder.weights.optimised(parameter)
        self._louder.before(optimizer)

    def _stepped(self, optimizer: Any) -> None:
        self._louder.after(optimizer)
        self._recorder.weights.stepped = True
        transient = not any(isinstance(p, nn.Parameter) for p in _parameters(optimizer))
        self._recorder.event(EventKind.STEP, type(optimizer).__name__, transient=transient)


def _parameters(optimizer: Any) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]
