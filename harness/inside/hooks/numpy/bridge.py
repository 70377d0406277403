"""`Tensor.numpy` and `torch.from_numpy` carry position maps from one world into the other."""

from typing import Any

import torch
from torch import Tensor

from harness.inside.hooks.dynamo_compat import trace_as
from harness.inside.hooks.numpy.tracked_array import map_of, tracked
from harness.inside.hooks.recording.recorder import FEWEST_IDS, Recorder


class NumpyBridge:
    """Wraps both while installed."""

    def __init__(self, recorder: Recorder) -> None:
        self._from_numpy: Any = torch.from_numpy
        self._numpy: Any = Tensor.numpy
        torch.from_numpy = _to_torch(recorder, self._from_numpy)
        Tensor.numpy = _to_numpy(recorder, self._numpy)  # type: ignore[method-assign]

    def close(self) -> None:
        """Takes both back."""
        torch.from_numpy = self._from_numpy
        Tensor.numpy = self._numpy  # type: ignore[method-assign]


def _to_torch(recorder: Recorder, function: Any) -> Any:
    def from_numpy(array: Any) -> Any:
        tensor = function(array)
        recorder.guarded("from_numpy", _arrived, recorder, array, tensor)
        return tensor

    return trace_as(from_numpy, function)


def _arrived(recorder: Recorder, array: Any, tensor: Tensor) -> None:
    mapped = map_of(array)
    if mapped is not None:
        recorder.maps.put(tensor, mapped)
    elif not tensor.is_floating_point() and tensor.numel() >= FEWEST_IDS:
        recorder.align(tensor)


def _to_numpy(recorder: Recorder, function: Any) -> Any:
    def numpy(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        array = function(self, *args, **kwargs)
        return tracked(array, recorder.maps.related(self)) if recorder.active else array

    return trace_as(numpy, function)
