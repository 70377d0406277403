"""The few functions of numpy through which maps come in, or would be lost.

Scores that leave torch by `np.asarray(tensor)` and its like keep their map. Empty float buffers
(`np.zeros`, `empty`, `full`) of moderate size are tracked too, so that scores may be assigned into
them.
"""

from typing import Any

import numpy as np
from torch import Tensor

from harness.inside.hooks.dynamo_compat import trace_as
from harness.inside.hooks.numpy import functions, items, ufuncs
from harness.inside.hooks.numpy.picks import picked_along
from harness.inside.hooks.numpy.tracked_array import (
    Followers,
    TrackedArray,
    listen,
    map_of,
    stop_listening,
    tracked,
)
from harness.inside.hooks.python.tracked_floats import TrackedNumber
from harness.inside.hooks.recording.position_maps import PositionMap, latest
from harness.inside.hooks.recording.recorder import Recorder

BUFFERS = ("zeros", "empty", "full")
CONVERTERS = ("asarray", "array", "ascontiguousarray")
FEWEST = 8  # elements of the smallest buffer that is watched,
MOST = 5_000_000  # and of the largest
LOOKED_AT = 64  # first elements of a list, in which a tracked number says that there are some
FOLLOWERS = Followers(
    arithmetic=ufuncs.arithmetic,
    reduced=ufuncs.reduced,
    accumulated=ufuncs.accumulated,
    added_at=ufuncs.added_at,
    called=functions.called,
    item=items.item,
    assigned=items.assigned,
    read_all=items.read_all,
    read_item=items.read_item,
)


class NumpyHooks:
    """Wraps them while installed."""

    def __init__(self, recorder: Recorder) -> None:
        listen(recorder, FOLLOWERS)
        self._kept = {name: getattr(np, name) for name in (*BUFFERS, *CONVERTERS)}
        for name in BUFFERS:
            setattr(np, name, _buffer(self._kept[name]))
        self._kept["take_along_axis"] = np.take_along_axis
        np.take_along_axis = _along(recorder, np.take_along_axis)
        for name in CONVERTERS:
            setattr(np, name, _converter(recorder, self._kept[name]))

    def close(self) -> None:
        """Takes everything back."""
        stop_listening()
        for name, function in self._kept.items():
            setattr(np, name, function)


def _buffer(function: Any) -> Any:
    def made(*args: Any, **kwargs: Any) -> Any:
        out = function(*args, **kwargs)
        return tracked(out, None) if out.dtype.kind == "f" and FEWEST <= out.size <= MOST else out

    return trace_as(made, function)


def _converter(recorder: Recorder, function: Any) -> Any:
    def made(*args: Any, **kwargs: Any) -> Any:
        out = function(*args, **kwargs)
        source = args[0] if args else None
        if isinstance(source, Tensor):
            return tracked(out, recorder.maps.related(source))
        if isinstance(source, TrackedArray):
            return tracked(out, source.position_map)
        if type(source) is list and any(isinstance(s, TrackedNumber) for s in source[:LOOKED_AT]):
            return tracked(out, _map_of_list(source))
        return out

    return trace_as(made, function)


def _along(recorder: Recorder, function: Any) -> Any:
    def taken(*args: Any, **kwargs: Any) -> Any:
        out = function(*args, **kwargs)
        call = dict(zip(("arr", "indices", "axis"), args, strict=False)) | kwargs
        if map_of(out) is not None or not recorder.usable("take_along_axis"):
            return out
        try:
            source, indices = call["arr"], call["indices"]
            return picked_along(recorder, source, indices, call.get("axis", -1), out)
        except Exception as error:  # noqa: BLE001 - ours must never reach the script
            recorder.failed("take_along_axis", error)
            return out

    return trace_as(taken, function)


def _map_of_list(numbers: list[Any]) -> PositionMap:
    places = [n.position if isinstance(n, TrackedNumber) else -1 for n in numbers]
    newest = latest([n.position_map for n in numbers if isinstance(n, TrackedNumber)])
    return newest.moved(np.array(places, np.int32))
