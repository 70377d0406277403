"""The torch side of the watch: one function mode around the script's run.

A `TorchFunctionMode` sees every call of torch's public functions, and not what they do inside: a
few microseconds a call, nothing inside a compiled model. Callables made by `torch.compile` run
with the mode off, so that Dynamo traces what it would trace without us; what they return is
marked by its shape (a number for each target, or one mean over all targets). Not covered: other
threads, and code that switches torch functions off.
"""

import functools
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from harness.upstream.capture.marks import Mark
from harness.upstream.capture.recorder import Recorder
from harness.upstream.capture.torch_flow import Handler, TorchFlow
from harness.upstream.capture.updates import note_uses

PROPERTIES = ("T", "mT", "data", "H", "mH")


class WatchMode(TorchFunctionMode):
    """Calls through, then lets the flow look at what came out."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder
        self._flow = TorchFlow(recorder)
        self._chosen: dict[Any, tuple[str, Handler | None]] = {}
        self._names = _public_names(self._flow.handlers)

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # the signature is torch's
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        try:
            name, handler = self._chosen[func]
        except KeyError:
            name, handler = self._chosen[func] = self._choose(func)
        if handler is not None and self._recorder.usable(name):
            try:
                read = handler(name, func, args, kwargs, out)
                return out if read is None else read
            except Exception as error:  # noqa: BLE001 - ours must never reach the script
                self._recorder.failed(name, error)
        return out

    def _choose(self, func: Any) -> tuple[str, Handler | None]:
        name = self._names.get(func, getattr(func, "__name__", ""))
        if name == "__get__":
            name = getattr(func.__self__, "__name__", "")
            return name, self._flow.handlers.get(name) if name in PROPERTIES else None
        if isinstance(func, torch._ops.OpOverloadPacket | torch._ops.OpOverload):
            return "custom op", self._opaque
        return name, self._flow.handlers.get(name)

    def _opaque(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        mark_by_shape(self._recorder, args, kwargs, out)


def _public_names(handlers: dict[str, Handler]) -> dict[Any, str]:
    """Functions by the name under which torch offers them: another tool may have wrapped them."""
    homes: tuple[Any, ...] = (torch, torch.nn.functional, Tensor)
    return {getattr(h, n): n for h in homes for n in handlers if callable(getattr(h, n, None))}


def mark_by_shape(recorder: Recorder, args: Any, kwargs: Any, out: Any) -> None:
    """Marks what an opaque function made of stream tokens: a float for each target, or their mean.

    Targets are the last integer argument, as in `model(x, y)`.
    """
    if not isinstance(out, Tensor) or not out.is_floating_point():
        return
    marked = []
    for argument in (*args, *kwargs.values()):
        if isinstance(argument, Tensor) and not argument.is_floating_point():
            mark = recorder.marks.find(argument)
            if mark is not None and mark.loss < 0 and mark.positions is not None:
                marked.append(mark.positions)
    if not marked or (out.numel() not in (1, marked[-1].size)):
        return
    positions = marked[-1]
    mark = recorder.loss(positions)
    if out.numel() == positions.size:
        shape = tuple(out.shape)
        recorder.marks.put(out, Mark(positions.reshape(shape), mark.loss, mark.weights))
        return
    each = out.detach().reshape(()).expand(positions.shape)
    if out.requires_grad:
        note_uses(out, positions)
        recorder.pending[out] = (mark, each, "mean")
    else:
        recorder.total(mark, each, "mean")


class Compiled:
    """Runs compiled callables with the mode off while installed."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._compile: Any = torch.compile
        torch.compile = self._wrapped_compile

    def close(self) -> None:
        """Takes it back."""
        torch.compile = self._compile

    def _wrapped_compile(self, model: Any = None, **options: Any) -> Any:
        if model is None:
            return lambda later: self._wrapped_compile(later, **options)
        made = self._compile(model, **options)
        if made is model:  # served eagerly: everything inside is seen
            return made
        if isinstance(made, torch.nn.Module):
            forward = made.forward
            made.forward = self._silent(forward)
            return made
        return self._silent(made)

    def _silent(self, made: Any) -> Any:
        @functools.wraps(made)
        def call(*args: Any, **kwargs: Any) -> Any:
            with torch._C.DisableTorchFunction():
                out = made(*args, **kwargs)
            if self._recorder.usable("compiled"):
                try:
                    mark_by_shape(self._recorder, args, kwargs, out)
                except Exception as error:  # noqa: BLE001 - ours must never reach the script
                    self._recorder.failed("compiled", error)
            return out

        return call
