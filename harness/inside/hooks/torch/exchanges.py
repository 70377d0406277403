"""What ranks hand to each other: every collective, send and receive, in the order of the calls.

The k-th exchange of one rank is the k-th of the others, as the functions wait for each other; so
what one rank did before it is known to another only behind it. A model in DistributedDataParallel
exchanges gradients in C++: there, each gradient that is taken counts as an exchange. One too many
orders nothing wrongly: it happens on every rank alike.
Not covered: exchanges through files, stores or a library of the script's own.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from harness.inside.hooks.dynamo_compat import trace_as
from harness.inside.hooks.recording.recorder import Recorder
from harness.protocol.schema import EventKind

FUNCTIONS = (
    *("all_reduce", "reduce", "all_gather", "all_gather_into_tensor", "all_gather_object"),
    *("gather", "gather_object", "scatter", "scatter_object_list", "reduce_scatter"),
    *("reduce_scatter_tensor", "all_to_all", "all_to_all_single", "broadcast"),
    *("broadcast_object_list", "barrier", "monitored_barrier", "send", "recv", "isend", "irecv"),
    *("batch_isend_irecv", "all_reduce_coalesced", "all_gather_coalesced"),
)
MOST = 2**31 - 1  # numbers that a column holds


class Exchanges:
    """Hears them while installed."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._was: list[tuple[Any, str, Any]] = []
        if not dist.is_available():
            return
        for name in FUNCTIONS:
            if hasattr(dist, name):
                self._replace(dist, name, self._heard(name, getattr(dist, name)))
        made: Any = DistributedDataParallel.__init__
        self._replace(DistributedDataParallel, "__init__", self._parallel(made))

    def close(self) -> None:
        """Takes everything back."""
        for home, name, original in reversed(self._was):
            setattr(home, name, original)

    def _replace(self, home: Any, name: str, by: Any) -> None:
        self._was.append((home, name, getattr(home, name)))
        setattr(home, name, by)

    def _heard(self, name: str, function: Any) -> Any:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self._recorder.guarded("exchange", self._exchanged, name, args, kwargs)
            return function(*args, **kwargs)

        return trace_as(wrapped, function)

    def _exchanged(self, name: str, args: Any, kwargs: Any) -> None:
        numbers = _numbers([*args, *kwargs.values()])
        self._recorder.event(EventKind.EXCHANGE, name, tokens=min(numbers, MOST))

    def _parallel(self, made: Any) -> Any:
        def initialise(model: Any, *args: Any, **kwargs: Any) -> None:
            if not any(home is torch.autograd for home, _, _ in self._was):
                for name in ("backward", "grad"):
                    function = self._heard(name, getattr(torch.autograd, name))
                    self._replace(torch.autograd, name, function)
            made(model, *args, **kwargs)

        return initialise


def _numbers(given: Any) -> int:
    """Of tensors, also in lists; any other object may hold as many as it likes."""
    if isinstance(given, torch.Tensor):
        return given.numel()
    if isinstance(given, list | tuple):
        return sum(map(_numbers, given))
    return 0 if given is None or isinstance(given, int | str | dist.ReduceOp) else MOST
