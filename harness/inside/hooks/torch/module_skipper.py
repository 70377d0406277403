"""Modules inside which there is nothing to watch: on an accelerator they run with the mode off.

A block of a transformer sees hidden states. The mode costs a microsecond a call and finds nothing
there, and the host that feeds an accelerator has none to spare (#549 calls torch 1,940 times for a
batch of 32 windows, 1,070 of them inside its blocks). So a module is left alone when it is given
nothing that has a map or is awaited, and nothing was noted in its first `WATCHED` calls in the same
modes (training, gradients, inference), where it saw no ids either. Every `AGAIN`th call is watched
again; a module in which something was noted once is watched ever after.
Not covered: what a module scores or learns from in calls in between only. Such a score is *not
rebuilt*, never wrong.
"""

import functools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from harness.inside.hooks.dynamo_compat import mode_is_on, mode_off
from harness.inside.hooks.recording.identity_map import WeakIdentityMap
from harness.inside.hooks.recording.recorder import Recorder

WATCHED = 3  # calls
AGAIN = 64
MODULES: Any = nn.Module
PLAIN = (type(None), bool, int, float)


@dataclass
class CallHistory:
    """What calls of one module in the same modes were like."""

    calls: int = 0
    unseen: bool = True  # nothing was noted in any

    def to_be_watched(self) -> bool:
        """Whether the call that begins here is."""
        self.calls += 1
        return not self.unseen or self.calls <= WATCHED or self.calls % AGAIN == 0


class ModuleSkipper:
    """Knows them while installed."""

    def __init__(self, recorder: Recorder, mode: TorchFunctionMode) -> None:
        self._recorder, self._mode = recorder, mode
        # Of a module, by its modes.
        self._known: WeakIdentityMap[dict[Any, CallHistory]] = WeakIdentityMap()
        # Not `__call__`, which a compiled module takes hold of when it is made.
        self._call: Any = MODULES._call_impl
        MODULES._call_impl = self._heard(self._call)
        self._off = False

    def close(self) -> None:
        """Takes it back."""
        MODULES._call_impl = self._call

    @contextmanager
    def off(self) -> Iterator[None]:
        """As if nothing were watched, for a compiler, which traces what modules call."""
        before, MODULES._call_impl = MODULES._call_impl, self._call
        try:
            with mode_off(self._mode):
                yield
        finally:
            MODULES._call_impl = before

    def _heard(self, function: Any) -> Any:
        @functools.wraps(function)
        def call(module: nn.Module, /, *args: Any, **kwargs: Any) -> Any:
            if self._off or not mode_is_on(self._mode):
                return function(module, *args, **kwargs)
            given = (*args, *kwargs.values())
            history = self._history(module)
            if history.to_be_watched() or not self._recorder.are_new(given):
                history.unseen &= _are_hidden_states(given)
                before = self._recorder.noted
                out = function(module, *args, **kwargs)
                history.unseen &= self._recorder.noted == before
                return out
            self._off = True
            try:
                with mode_off(self._mode):
                    return function(module, *args, **kwargs)
            finally:
                self._off = False

        return call

    def _history(self, module: nn.Module) -> CallHistory:
        modes = module.training, torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        known = self._known.find(module)
        if known is None:
            known = {}
            self._known.put(module, known)
        return known.setdefault(modes, CallHistory())


def _are_hidden_states(given: Iterable[Any]) -> bool:
    """No ids, and nothing that could hold some."""
    return all(
        thing.is_floating_point() if isinstance(thing, Tensor) else isinstance(thing, PLAIN)
        for thing in given
    )
