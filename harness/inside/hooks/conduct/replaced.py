"""Which functions of libraries the script put its own in place of, and what those give.

Functions that turn numbers into a score, and those that tell the time. At the end each is compared
with what stood there when the script began; where a function of the script's own stands now, both
are given the same numbers. A wrapper that gives what it wraps (scripts bring older interfaces
along so) is noted and means nothing.
Guarantees: nothing is called before the script has ended. Does not cover: names that the script
gives to functions of its own, and what it took back before its end.
"""

import contextlib
import functools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.inside.hooks.recording.recorder import Recorder
from harness.inside.hooks.recording.sites import Site
from harness.protocol.schema import EventKind

CLOCKS = ("time", "perf_counter", "monotonic", "process_time", "thread_time")
ROWS, ENTRIES = 8, 16  # of what the functions are tried on
FAR = 1e-3  # relative: what differs by less was computed in another order


@dataclass(frozen=True)
class Watched:
    """One function, as it was."""

    home: Any
    name: str
    label: str  # "torch.nn.functional.cross_entropy"
    was: Any
    tried_on: Callable[[], tuple[Any, ...]] | None  # arguments; None: it is not tried

    @property
    def now(self) -> Any:
        """What stands there."""
        return getattr(self.home, self.name, None)


class Replaced:
    """Remembers what stood where; `close` says what stands there now."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._watched = [*_watched()]

    def close(self) -> None:
        """Notes what was replaced by a function of the script's own."""
        for one in self._watched:
            if one.now is not one.was:
                self._recorder.guarded("replaced", self._look, one)

    def _look(self, one: Watched) -> None:
        code = _code_of(one.now)
        if code is None or not self._recorder.sites.is_theirs(code):
            return
        name = self._recorder.sites.name_of(code.co_filename)
        site = Site(f"{name}:{code.co_firstlineno}", code.co_name)
        self._recorder.event(EventKind.REPLACED, one.label, site=site)
        if one.tried_on is not None and _differs(one.now, one.was, one.tried_on()):
            self._recorder.event(EventKind.DISTORTED, one.label, site=site)


def _code_of(function: Any) -> Any:
    """Of a function, a method, or what a `partial` or an object calls."""
    while isinstance(function, functools.partial):
        function = function.func
    function = getattr(function, "__func__", function)
    if not hasattr(function, "__code__"):
        function = vars(type(function)).get("__call__")
    return getattr(function, "__code__", None)


def _differs(new: Any, old: Any, arguments: tuple[Any, ...]) -> bool:
    """In any mode in which a script scores. What it cannot be given, it is not judged by."""
    for mode in (torch.enable_grad, torch.no_grad, torch.inference_mode):
        with contextlib.suppress(Exception), mode():
            wanted, given = (_numbers(function(*arguments)) for function in (old, new))
            if wanted.shape == given.shape and not np.allclose(given, wanted, FAR, 1e-6):
                return True
    return False


def _numbers(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().double().numpy()
    return np.asarray(value, dtype=np.float64)


def _logits() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(ROWS, ENTRIES, generator=generator)


def _targets() -> Tensor:
    return torch.arange(ROWS) % ENTRIES


def _row() -> tuple[Any, ...]:
    return (_logits(), -1)


def _watched() -> Iterator[Watched]:
    def of(home: Any, label: str, name: str, tried_on: Any) -> Iterator[Watched]:
        if hasattr(home, name):
            yield Watched(home, name, f"{label}.{name}", getattr(home, name), tried_on)

    for name in ("cross_entropy", "nll_loss"):
        yield from of(F, "torch.nn.functional", name, lambda: (_logits(), _targets()))
    for home, label in ((F, "torch.nn.functional"), (torch, "torch"), (Tensor, "torch.Tensor")):
        for name in ("log_softmax", "softmax", "logsumexp"):
            yield from of(home, label, name, _row)
    for home, label in ((torch, "torch"), (Tensor, "torch.Tensor")):
        for name in ("exp", "log", "log2", "sum", "mean"):
            yield from of(home, label, name, lambda: (_logits().abs() + 1.0,))
        for name in ("gather",):
            yield from of(home, label, name, lambda: (_logits(), -1, _targets()[:, None]))
    yield from of(Tensor, "torch.Tensor", "item", lambda: (torch.tensor(2.5),))
    yield from of(nn.CrossEntropyLoss, "torch.nn.CrossEntropyLoss", "forward", None)
    for name in ("log", "log2", "exp", "fsum"):
        argument = ([1.5, 2.5],) if name == "fsum" else (2.5,)
        yield from of(math, "math", name, lambda argument=argument: argument)
    for name in CLOCKS:
        yield from of(time, "time", name, None)
        yield from of(time, "time", f"{name}_ns", None)
