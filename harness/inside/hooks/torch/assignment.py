"""Assignments into a tensor: scores and ids take their places along, a constant takes some out."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.inside.hooks.dynamo_compat import from_numpy
from harness.inside.hooks.recording.position_maps import PositionMap, Positions
from harness.inside.hooks.recording.recorder import INTEGERS, Recorder
from harness.inside.hooks.torch.transfer import is_plain, on_host

BY_INDEX = ("__setitem__", "copy_")  # written as `target[key] = value`; others by themselves


class Assignment:
    """Its handler."""

    def __init__(self, recorder: Recorder) -> None:
        self._maps = recorder.maps

    def assigned(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """`target[key] = value`, `index_put_` and their like."""
        target, value = args[0], args[1] if name == "copy_" else args[-1]
        if kwargs or not isinstance(target, Tensor):
            return
        new = self._maps.related(value)
        old = self._maps.related(target)
        if old is None:
            if new is None:
                return
            old = self._blank(target, new)
        if new is None and not _takes_out(target, value):
            return
        keys = (...,) if name == "copy_" else args[1:-1]
        written = None if new is None else new.positions
        if name in BY_INDEX:
            _set(old.positions, keys[0], written)
        else:
            with torch.no_grad():
                func(from_numpy(old.positions), *on_host(keys), _as_value(written))
        self._renew(target, old, new)

    def _blank(self, target: Tensor, new: PositionMap) -> PositionMap:
        """A map for a buffer that held nothing so far."""
        positions = np.full(tuple(target.shape), -1, np.int32)
        blank = PositionMap(positions, new.loss, new.weights, softmax_width=new.softmax_width)
        self._maps.put(target, blank)
        return blank

    def _renew(self, target: Tensor, old: PositionMap, new: PositionMap | None) -> None:
        """The target's numbers come from the newest of the losses, and were scaled by nothing that
        is known of all.
        """
        newest = new if new is not None and new.loss >= old.loss else old
        width = min(old.softmax_width, newest.softmax_width)
        if newest.loss == old.loss and width == old.softmax_width and old.factor is None:
            return
        mapped = PositionMap(old.positions, newest.loss, newest.weights, softmax_width=width)
        self._maps.put(target, mapped)


def _takes_out(target: Tensor, value: Any) -> bool:
    """Foreign ids, or a zero; other numbers are the script's own for the same tokens."""
    return target.dtype in INTEGERS or (isinstance(value, int | float) and value == 0)


def _set(positions: Positions, key: Any, written: Positions | None) -> None:
    if is_plain(key):
        positions[key] = -1 if written is None else written
    else:
        from_numpy(positions)[on_host(key)] = _as_value(written)


def _as_value(written: Positions | None) -> Any:
    return -1 if written is None else from_numpy(written)
