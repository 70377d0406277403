"""Arrays that know which stream position each of their elements stands for.

A `TrackedArray` computes exactly what a plain array computes, on plain arrays, and then lets its
followers move its map along. Pickles and files hold plain arrays.
Not covered: code compiled by numba or C, which sees the numbers and no map.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.inside.hooks.numpy.names import REARRANGING_METHODS, SAME_SHAPE_METHODS
from harness.inside.hooks.recording.position_maps import PositionMap
from harness.inside.hooks.recording.recorder import Recorder

Follower = Callable[..., Any]  # of the recorder, the result and details; gives the result back


@dataclass(frozen=True)
class Followers:
    """Who moves maps along; each may give the result back with a map."""

    arithmetic: Follower  # (ufunc, inputs, outs)
    reduced: Follower  # (ufunc, inputs, kwargs)
    accumulated: Follower  # (inputs)
    added_at: Follower  # (ufunc, inputs)
    called: Follower  # (func, args, kwargs), of numpy's other functions
    item: Follower  # (array, key)
    assigned: Follower  # (array, key, value)
    read_all: Follower  # (array), as numbers of Python
    read_item: Follower  # (array, place)


@dataclass(frozen=True)
class _Listening:
    recorder: Recorder
    followers: Followers


_listening: list[_Listening] = []  # one or none; numpy builds arrays without a handle


def listen(recorder: Recorder, followers: Followers) -> None:
    """Sets who is told."""
    _listening[:] = [_Listening(recorder, followers)]


def stop_listening() -> None:
    """Nobody is told any more."""
    _listening.clear()


class TrackedArray(np.ndarray):
    """An array whose elements stand for stream positions."""

    position_map: PositionMap | None = None

    def __array_finalize__(self, obj: Any) -> None:
        """A new view knows nothing until a follower says so."""

    def __reduce__(self) -> Any:
        return plain(self).__reduce__()

    def __deepcopy__(self, memo: Any) -> Any:
        return tracked(plain(self).copy(), self.position_map)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        outs = kwargs.get("out")
        if outs is not None:
            kwargs["out"] = tuple(plain(o) for o in outs)
        result = getattr(ufunc, method)(*[plain(i) for i in inputs], **kwargs)
        if method == "__call__":
            result = _followed(ufunc.__name__, "arithmetic", result, ufunc, inputs, outs)
        elif method == "reduce":
            result = _followed(ufunc.__name__, "reduced", result, ufunc, inputs, kwargs)
        elif method == "accumulate":
            result = _followed(ufunc.__name__, "accumulated", result, inputs)
        elif method == "at":
            result = _followed(ufunc.__name__, "added_at", result, ufunc, inputs)
        return result if outs is None else outs[0] if len(outs) == 1 else outs

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        result = func(*all_plain(args), **all_plain(kwargs))
        return _followed(func.__name__, "called", result, func, args, kwargs)

    def __getitem__(self, key: Any) -> Any:
        result = plain(self)[all_plain(key)]
        if self.position_map is None:
            return tracked(result, None) if isinstance(result, np.ndarray) else result
        return _followed("getitem", "item", result, self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        plain(self)[all_plain(key)] = plain(value)
        _followed("setitem", "assigned", None, self, key, value)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def tolist(self) -> Any:
        """Read out as numbers."""
        return _followed("tolist", "read_all", plain(self).tolist(), self)

    def item(self, *place: Any) -> Any:
        """Read out as a number."""
        return _followed("item", "read_item", plain(self).item(*place), self, place)

    def __float__(self) -> float:
        number = float(plain(self))
        _followed("float", "read_item", number, self, ())
        return number  # `float` wants a plain one

    def dot(self, other: Any, out: Any = None) -> Any:
        """Goes the way of np.dot."""
        return np.dot(self, other)


def plain(thing: Any) -> Any:
    """The same memory as a plain array."""
    return thing.view(np.ndarray) if isinstance(thing, TrackedArray) else thing


def all_plain(things: Any) -> Any:
    """Arguments, wherever arrays are nested in them, with plain arrays."""
    if isinstance(things, TrackedArray):
        return plain(things)
    if isinstance(things, tuple | list) and type(things) in (tuple, list):
        return type(things)(all_plain(t) for t in things)
    if type(things) is dict:
        return {k: all_plain(v) for k, v in things.items()}
    return things


def tracked(result: Any, mapped: PositionMap | None) -> Any:
    """The same memory as a tracked array."""
    if not isinstance(result, np.ndarray) or result.dtype.kind != "f":
        return result
    view = result.view(TrackedArray)
    if mapped is not None and mapped.positions.shape == result.shape:
        view.position_map = mapped
    return view


def map_of(thing: Any) -> PositionMap | None:
    """What an array's elements stand for, if it is one that knows."""
    return thing.position_map if isinstance(thing, TrackedArray) else None


def maps_of(things: Any) -> list[PositionMap]:
    """The maps of arguments, wherever arrays are nested in them."""
    found = []
    for thing in things:
        if isinstance(thing, tuple | list):
            found += maps_of(thing)
        elif (mapped := map_of(thing)) is not None:
            found.append(mapped)
    return found


def _followed(hook: str, follower: str, result: Any, *details: Any) -> Any:
    """The result, as a follower gives it back."""
    listening = _listening[0] if _listening else None
    if listening is None or not listening.recorder.usable(f"numpy.{hook}"):
        return result
    try:
        follow: Follower = getattr(listening.followers, follower)
        return follow(listening.recorder, result, *details)
    except Exception as error:  # noqa: BLE001 - ours must never reach the script
        listening.recorder.failed(f"numpy.{hook}", error)
        return result


def _same_shape_method(name: str) -> Callable[..., Any]:
    def method(self: TrackedArray, *args: Any, **kwargs: Any) -> Any:
        result = getattr(plain(self), name)(*args, **kwargs)
        return tracked(result, self.position_map)

    method.__name__ = name
    return method


def _rearranging_method(name: str) -> Callable[..., Any]:
    def method(self: TrackedArray, *args: Any, **kwargs: Any) -> Any:
        args = tuple(all_plain(args))
        result = getattr(plain(self), name)(*args, **kwargs)
        if self.position_map is None:
            return tracked(result, None)
        moved = getattr(self.position_map.positions, name)(*args, **kwargs)
        return tracked(result, self.position_map.moved(moved))

    method.__name__ = name
    return method


for _name in SAME_SHAPE_METHODS:
    setattr(TrackedArray, _name, _same_shape_method(_name))
for _name in REARRANGING_METHODS:
    setattr(TrackedArray, _name, _rearranging_method(_name))
