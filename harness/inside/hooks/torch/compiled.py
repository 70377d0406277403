"""What `torch.compile` made is opaque: nothing inside is watched; its scores are seen where they
come out.

A compiled model that returns logits is followed as usual from there on; one that returns a loss is
placed by its shape: a number for each target, or one mean over all targets.
Not covered: what a compiled callable adds up inside, which is *not rebuilt*, never wrong.
"""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch._dynamo.eval_frame import OptimizedModule

from harness.inside.hooks.recording.position_maps import Positions
from harness.inside.hooks.recording.recorder import Recorder
from harness.inside.hooks.recording.unfinished import AwaitedTotal
from harness.inside.hooks.torch.updates import await_reading

MODULES: Any = OptimizedModule  # what a compiled module is
Off = Callable[[], AbstractContextManager[None]]


class Compiled:
    """Runs compiled callables with the watch off while installed."""

    def __init__(self, recorder: Recorder, off: Off) -> None:
        self._recorder, self._off = recorder, off
        self._compile: Any = torch.compile
        self._initialize = MODULES._initialize
        torch.compile = self._wrapped_compile
        MODULES._initialize = self._opaque_forward()

    def close(self) -> None:
        """Takes both back."""
        torch.compile = self._compile
        MODULES._initialize = self._initialize

    def _wrapped_compile(self, model: Any = None, **options: Any) -> Any:
        if model is None:
            return lambda later: self._wrapped_compile(later, **options)
        made = self._compile(model, **options)
        # Served eagerly, everything inside is seen; a module got its forward by `_initialize`.
        return made if made is model or isinstance(made, OptimizedModule) else self._opaque(made)

    def _opaque_forward(self) -> Callable[[Any], None]:
        """A compiled module gets its forward when it is made, and again when it was copied."""

        def initialize(module: Any) -> None:
            self._initialize(module)
            module.forward = self._opaque(module.forward)

        return initialize

    def _opaque(self, made: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(made)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._off():
                out = made(*args, **kwargs)
            self._recorder.guarded("compiled", place_by_shape, self._recorder, args, kwargs, out)
            return out

        return call


def place_by_shape(recorder: Recorder, args: Any, kwargs: Any, out: Any) -> None:
    """Gives maps to what an opaque function made of stream tokens: a float for each target, or
    their mean.

    Targets are the last integer argument, as in `model(x, y)`; of several results, the first that
    fits is their loss, as in `logits, loss = model(x, y)`.
    """
    positions = _targets(recorder, (*args, *kwargs.values()))
    if positions is None:
        return
    for result in out if isinstance(out, tuple | list) else (out,):
        if isinstance(result, Tensor) and result.is_floating_point():
            if result.numel() == positions.size:
                mapped = recorder.loss(positions.reshape(tuple(result.shape)))
                recorder.maps.put(result, mapped)
                return
            if result.numel() == 1:
                _mean(recorder, positions, result)
                return


def _targets(recorder: Recorder, arguments: tuple[Any, ...]) -> Positions | None:
    for argument in reversed(arguments):
        if isinstance(argument, Tensor) and not argument.is_floating_point():
            mapped = recorder.maps.related(argument)
            if mapped is not None and mapped.loss < 0:
                return mapped.positions
    return None


def _mean(recorder: Recorder, positions: Positions, out: Tensor) -> None:
    """One number for all targets: their mean, which is all that is known of each."""
    mapped = recorder.loss(positions)
    each = out.detach().reshape(()).expand(positions.shape)
    if out.requires_grad:
        await_reading(recorder, out, AwaitedTotal(mapped, each), positions)
    else:
        recorder.total(mapped, each)
