"""numpy's functions on tracked arrays, by what their name says they do to places."""

from typing import Any

import numpy as np

from harness.inside.hooks.numpy.names import ELEMENTWISE, PRODUCTS, REARRANGE, REDUCE
from harness.inside.hooks.numpy.tracked_array import TrackedArray, map_of, maps_of, plain, tracked
from harness.inside.hooks.numpy.ufuncs import chosen, folded, product
from harness.inside.hooks.recording.position_maps import PositionMap, Positions, latest, merged
from harness.inside.hooks.recording.recorder import Recorder


def called(recorder: Recorder, result: Any, func: Any, args: Any, kwargs: Any) -> Any:
    """A call of one of them."""
    name = func.__name__
    if name in REDUCE:
        return _totalled(recorder, result, name, args, kwargs)
    maps = maps_of((*args, *kwargs.values()))
    if not maps:
        return result
    if name == "bincount":  # a total of every document
        weights = kwargs.get("weights", args[1] if len(args) > 1 else None)
        if (mapped := map_of(weights)) is not None:
            recorder.total(mapped, plain(weights))
        return result
    if name in REARRANGE:
        moved = func(*_as_positions(args), **_as_positions(kwargs))
        return _rearranged(result, moved, latest(maps))
    if name in ELEMENTWISE and isinstance(result, np.ndarray):
        chooses = name == "where" and len(args) == 3
        positions = _where(args, result) if chooses else merged(result.shape, maps)
        if positions is not None:
            averaged = latest(maps).averaged(positions)
            if chooses:
                chosen(recorder, args[1:], result, averaged)
            return tracked(result, averaged)
    return result


def _rearranged(result: Any, moved: Any, mapped: PositionMap) -> Any:
    if isinstance(result, list):
        return [tracked(r, mapped.moved(m)) for r, m in zip(result, moved, strict=True)]
    return tracked(result, mapped.moved(moved))


def _where(args: Any, result: Any) -> Positions:
    """A number that replaces a score keeps its place, a constant 0 takes it out."""
    maps = [map_of(a) for a in args[1:]]
    sides: list[Any] = [-1 if m is None else m.positions for m in maps]
    for i in (0, 1):
        if maps[i] is None and maps[1 - i] is not None and not _is_zero(args[1 + i]):
            sides[i] = sides[1 - i]
    chosen: Positions = np.where(plain(args[0]), *sides)
    return np.broadcast_to(chosen, result.shape).astype(np.int32)


def _is_zero(value: Any) -> bool:
    return np.ndim(value) == 0 and float(value) == 0.0


def _as_positions(things: Any) -> Any:
    """Arguments with the positions of their elements in place of arrays of numbers."""
    if isinstance(things, np.ndarray):
        mapped = map_of(things)
        if mapped is not None:
            return mapped.positions
        numbers = isinstance(things, TrackedArray) or things.dtype.kind == "f"
        return np.full(things.shape, -1, np.int32) if numbers else things
    if isinstance(things, tuple | list):
        return type(things)(_as_positions(t) for t in things)
    if isinstance(things, dict):
        return {k: _as_positions(v) for k, v in things.items()}
    return things


def _totalled(recorder: Recorder, result: Any, name: str, args: Any, kwargs: Any) -> Any:
    if name in PRODUCTS:
        return product(recorder, result, args)
    values = args[0] if args else kwargs.get("a")
    if not isinstance(values, TrackedArray):
        return result
    if name == "average" and kwargs.get("weights") is not None:
        return product(recorder, result, (values, kwargs["weights"]))
    axis = kwargs.get("axis", args[1] if len(args) > 1 else None)
    return folded(recorder, result, values, axis, mixes=True, adds=True)
