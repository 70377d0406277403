"""Elements of tracked arrays: taken out, assigned, and read out as numbers."""

from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from harness.inside.hooks.numpy.tracked_array import TrackedArray, all_plain, map_of, plain, tracked
from harness.inside.hooks.python.tracked_floats import (
    READ_AT_ONCE,
    TrackedNumber,
    tracked_list,
    tracked_number,
)
from harness.inside.hooks.recording.position_maps import PositionMap
from harness.inside.hooks.recording.recorder import Recorder


def item(recorder: Recorder, result: Any, array: TrackedArray, key: Any) -> Any:
    """`array[key]`."""
    mapped = array.position_map
    assert mapped is not None
    moved = mapped.positions[all_plain(key)]
    if isinstance(result, np.ndarray):
        return tracked(result, mapped.moved(moved))
    return _read_one(recorder, result, int(moved), mapped)


def assigned(recorder: Recorder, result: Any, array: TrackedArray, key: Any, value: Any) -> None:
    """`array[key] = value`: scores take their places along, a zero takes one out."""
    old, new, key = array.position_map, _map_of_value(recorder, value), all_plain(key)
    if new is None:
        if old is not None and isinstance(value, int | float) and value == 0:
            old.positions[key] = -1
        return
    if old is None:
        old = replace(new, positions=np.full(array.shape, -1, np.int32), factor=None)
    old.positions[key] = new.positions
    width = min(old.softmax_width, new.softmax_width)
    loss = max(old.loss, new.loss)
    array.position_map = PositionMap(old.positions, loss, new.weights, softmax_width=width)


def _map_of_value(recorder: Recorder, value: Any) -> PositionMap | None:
    if isinstance(value, Tensor):
        return recorder.maps.related(value)
    if isinstance(value, TrackedNumber):
        return replace(value.position_map, positions=np.array(value.position, np.int32))
    return map_of(value)


def read_all(recorder: Recorder, result: Any, array: TrackedArray) -> Any:
    """All elements become numbers of Python."""
    mapped = array.position_map
    if mapped is None:
        return result
    recorder.total(mapped, plain(array), read_out=True)
    if mapped.positions.size > READ_AT_ONCE:
        return result
    return tracked_list(result, mapped.positions.tolist(), mapped)


def read_item(recorder: Recorder, result: Any, array: TrackedArray, place: Any) -> Any:
    """`array.item(*place)`."""
    mapped = array.position_map
    if mapped is None:
        return result
    return _read_one(recorder, result, int(mapped.positions.item(*place)), mapped)


def _read_one(recorder: Recorder, result: Any, position: int, mapped: PositionMap) -> Any:
    if position < 0:
        return result
    recorder.single(mapped, position, float(result), read_out=True)
    return tracked_number(result, position, mapped) if isinstance(result, float) else result
