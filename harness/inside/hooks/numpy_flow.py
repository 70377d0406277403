"""The numpy side of the watch: arrays that carry a mark.

Scores that leave torch by `.numpy()` (or `np.asarray(tensor)`) arrive as `MarkedArray`, a subclass
that computes exactly what a plain array computes, on plain arrays, and then moves its map along: by
the same function where elements are rearranged, by broadcasting where arithmetic is element-wise.
Empty float buffers (`np.zeros`, `empty`, `full`) of moderate size are of that class too, so that
scores may be assigned into them. Pickles and files hold plain arrays.
Not covered: code compiled by numba or C, which sees the numbers and no mark.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from harness.inside.hooks.marks import Mark, Positions, merged, mixed
from harness.inside.hooks.python_scores import (
    READ_AT_ONCE,
    Placed,
    placed,
    placed_list,
)
from harness.inside.hooks.recorder import Recorder
from harness.inside.hooks.unseen import seen_through

REARRANGE = [
    "concatenate",
    "stack",
    "hstack",
    "vstack",
    "reshape",
    "ravel",
    "take",
    "repeat",
    "tile",
    "flip",
    "roll",
    "split",
    "array_split",
    "squeeze",
    "expand_dims",
    "transpose",
    "copy",
    "delete",
    "compress",
    "take_along_axis",
    "moveaxis",
    "swapaxes",
    "append",
    "broadcast_to",
    "atleast_1d",
    "atleast_2d",
    "column_stack",
    "extract",
]
ELEMENTWISE = ["where", "clip", "nan_to_num", "real", "round"]
REDUCE = ["sum", "mean", "average", "nansum", "nanmean", "dot", "vdot", "inner", "cumsum"]
MIXES = (np.add, np.maximum, np.minimum, np.logaddexp)
BUFFER = 5_000_000  # elements of the largest buffer that is watched
_recorder: list[Recorder] = []  # the one that is listening; numpy builds arrays without a handle


class MarkedArray(np.ndarray):
    """An array whose elements stand for stream positions."""

    mark: Mark | None = None

    def __array_finalize__(self, obj: Any) -> None:
        """A new view knows nothing until a hook says so."""

    def __reduce__(self) -> Any:
        return plain(self).__reduce__()

    def __deepcopy__(self, memo: Any) -> Any:
        return marked(plain(self).copy(), self.mark)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        outs = kwargs.get("out")
        if outs is not None:
            kwargs["out"] = tuple(plain(o) for o in outs)
        result = getattr(ufunc, method)(*[plain(i) for i in inputs], **kwargs)
        if method == "__call__":
            result = _guarded(ufunc.__name__, _arithmetic, result, ufunc, inputs, outs)
        elif method == "reduce":
            result = _guarded(ufunc.__name__, _reduced, result, ufunc, inputs, kwargs)
        elif method == "accumulate":
            result = _guarded(ufunc.__name__, _accumulated, result, inputs)
        return result if outs is None else outs[0] if len(outs) == 1 else outs

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        result = func(*_plain_all(args), **_plain_all(kwargs))
        return _guarded(func.__name__, _called, result, func, args, kwargs)

    def __getitem__(self, key: Any) -> Any:
        result = plain(self)[_plain_all(key)]
        if self.mark is None:
            return marked(result, None) if isinstance(result, np.ndarray) else result
        return _guarded("getitem", _item, result, self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        plain(self)[_plain_all(key)] = plain(value)
        _guarded("setitem", _assigned, None, self, key, value)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def tolist(self) -> Any:
        """Read out as numbers."""
        return _guarded("tolist", _read_all, plain(self).tolist(), self)

    def item(self, *place: Any) -> Any:
        """Read out as a number."""
        return _guarded("item", _read_item, plain(self).item(*place), self, place)

    def __float__(self) -> float:
        _guarded("float", _read_all, None, self)
        return float(plain(self))

    def dot(self, other: Any, out: Any = None) -> Any:
        """Goes the way of np.dot."""
        return np.dot(self, other)


def _same_shape_method(name: str) -> Callable[..., Any]:
    def method(self: MarkedArray, *args: Any, **kwargs: Any) -> Any:
        result = getattr(plain(self), name)(*args, **kwargs)
        return marked(result, self.mark)

    method.__name__ = name
    return method


def _moving_method(name: str) -> Callable[..., Any]:
    def method(self: MarkedArray, *args: Any, **kwargs: Any) -> Any:
        args = tuple(_plain_all(args))
        result = getattr(plain(self), name)(*args, **kwargs)
        if self.mark is None or self.mark.positions is None:
            return marked(result, None)
        moved = getattr(self.mark.positions, name)(*args, **kwargs)
        return marked(result, self.mark.moved(moved))

    method.__name__ = name
    return method


for _name in ("astype", "copy", "clip", "round"):
    setattr(MarkedArray, _name, _same_shape_method(_name))
for _name in [
    "reshape",
    "ravel",
    "flatten",
    "squeeze",
    "transpose",
    "swapaxes",
    "take",
    "repeat",
    "compress",
]:
    setattr(MarkedArray, _name, _moving_method(_name))


def plain(thing: Any) -> Any:
    """The same memory as a plain array."""
    return thing.view(np.ndarray) if isinstance(thing, MarkedArray) else thing


def marked(result: Any, mark: Mark | None) -> Any:
    """The same memory as a marked array."""
    if not isinstance(result, np.ndarray) or result.dtype.kind != "f":
        return result
    view = result.view(MarkedArray)
    if mark is not None and mark.positions is not None and mark.positions.shape == result.shape:
        view.mark = mark
    return view


def listen(recorder: Recorder | None) -> None:
    """Sets who is told."""
    _recorder[:] = [] if recorder is None else [recorder]


def _guarded(name: str, hook: Any, result: Any, *details: Any) -> Any:
    recorder = _recorder[0] if _recorder else None
    if recorder is None or not recorder.usable(f"numpy.{name}"):
        return result
    try:
        return hook(recorder, result, *details)
    except Exception as error:  # noqa: BLE001 - ours must never reach the script
        recorder.failed(f"numpy.{name}", error)
        return result


def _plain_all(things: Any) -> Any:
    if isinstance(things, MarkedArray):
        return plain(things)
    if isinstance(things, tuple | list) and type(things) in (tuple, list):
        return type(things)(_plain_all(t) for t in things)
    if type(things) is dict:
        return {k: _plain_all(v) for k, v in things.items()}
    return things


def _marks(things: Any) -> list[Mark]:
    found = []
    for thing in things:
        if isinstance(thing, MarkedArray) and thing.mark is not None:
            found.append(thing.mark)
        elif isinstance(thing, tuple | list):
            found += _marks(thing)
    return found


def _arithmetic(rec: Recorder, result: Any, ufunc: Any, inputs: Any, outs: Any) -> Any:
    if ufunc is np.matmul:
        return _product(rec, result, inputs)
    marks = _marks(inputs)
    target = result if outs is None else outs[0]
    if not isinstance(result, np.ndarray) or result.dtype.kind != "f":
        return result
    positions = merged(result.shape, [m.positions for m in marks if m.positions is not None])
    mark = None
    if positions is not None:
        latest = max(marks, key=lambda m: m.loss)
        factor = _factor(ufunc, inputs, marks)
        width = latest.softmax if factor is not None else 0
        mark = Mark(positions, latest.loss, latest.weights, factor, width)
    if outs is not None:
        if mark is not None and isinstance(target, MarkedArray):
            target.mark = mark
        return result
    return marked(result, mark)


def _factor(ufunc: Any, inputs: Any, marks: list[Mark]) -> Any:
    if len(marks) != 1 or ufunc not in (np.multiply, np.divide, np.negative):
        return None
    before = marks[0].factor
    if ufunc is np.negative:
        return -1.0 if before is None else -before
    scores_first = isinstance(inputs[0], MarkedArray) and inputs[0].mark is marks[0]
    if ufunc is np.divide and not scores_first:
        return None
    other = np.array(plain(inputs[1] if scores_first else inputs[0]), dtype=np.float64)
    with np.errstate(divide="ignore"):
        other = 1.0 / other if ufunc is np.divide else other
    return other if before is None else before * other


def _reduced(rec: Recorder, result: Any, ufunc: Any, inputs: Any, kwargs: Any) -> Any:
    return _folded(rec, result, inputs[0], kwargs.get("axis", 0), ufunc in MIXES, ufunc is np.add)


def _folded(rec: Recorder, result: Any, values: Any, axis: Any, mixes: bool, adds: bool) -> Any:
    mark = values.mark if isinstance(values, MarkedArray) else None
    if mark is None or mark.positions is None:
        return result
    if axis is not None and values.ndim > 1 and mixes and isinstance(result, np.ndarray):
        kept = mixed(mark.positions, axis, result.ndim == values.ndim)
        if kept is not None:
            return marked(result, mark.averaged(kept))
    if adds:
        rec.total(mark, plain(values))
    return result


def _accumulated(rec: Recorder, result: Any, inputs: Any) -> Any:
    for mark in _marks(inputs):
        rec.total(mark, plain(inputs[0]))
    return result


def _called(rec: Recorder, result: Any, func: Any, args: Any, kwargs: Any) -> Any:
    name = func.__name__
    if name in REDUCE:
        return _total_called(rec, result, name, args, kwargs)
    marks = [m for m in _marks((*args, *kwargs.values())) if m.positions is not None]
    if not marks:
        return result
    latest = max(marks, key=lambda m: m.loss)
    if name in REARRANGE:
        moved = func(*_as_maps(args), **_as_maps(kwargs))
        if isinstance(result, list):
            return [marked(r, latest.moved(m)) for r, m in zip(result, moved, strict=True)]
        return marked(result, latest.moved(moved))
    if name in ELEMENTWISE and isinstance(result, np.ndarray):
        positions = merged(result.shape, [m.positions for m in marks if m.positions is not None])
        if name == "where" and len(args) == 3:
            positions = _where(args, result)
        if positions is not None:
            return marked(result, Mark(positions, latest.loss, latest.weights))
    return result


def _where(args: Any, result: Any) -> Positions | None:
    """A number that replaces a score keeps its place, a constant 0 takes it out."""
    maps = [a.mark.positions if _marks([a]) else None for a in args[1:]]
    sides = [m if m is not None else -1 for m in maps]
    for i in (0, 1):
        if maps[i] is None and maps[1 - i] is not None and not _zero(args[1 + i]):
            sides[i] = maps[1 - i]
    chosen: Positions = np.where(plain(args[0]), *sides)
    return np.broadcast_to(chosen, result.shape).astype(np.int32)


def _zero(value: Any) -> bool:
    return np.ndim(value) == 0 and float(value) == 0.0


def _as_maps(things: Any) -> Any:
    if isinstance(things, MarkedArray):
        mark = things.mark
        known = mark is not None and mark.positions is not None
        return mark.positions if known and mark else np.full(things.shape, -1, np.int32)
    if isinstance(things, np.ndarray) and things.dtype.kind == "f":
        return np.full(things.shape, -1, np.int32)
    if isinstance(things, tuple | list):
        return type(things)(_as_maps(t) for t in things)
    if isinstance(things, dict):
        return {k: _as_maps(v) for k, v in things.items()}
    return things


def _total_called(rec: Recorder, result: Any, name: str, args: Any, kwargs: Any) -> Any:
    if name in ("dot", "vdot", "inner"):
        return _product(rec, result, args)
    values = args[0] if args else kwargs.get("a")
    if not isinstance(values, MarkedArray):
        return result
    axis = kwargs.get("axis", args[1] if len(args) > 1 else None)
    if name == "average" and kwargs.get("weights") is not None:
        return _product(rec, result, (values, kwargs["weights"]))
    return _folded(rec, result, values, axis, True, True)


def _product(rec: Recorder, result: Any, inputs: Any) -> Any:
    """A vector of scores times a vector of weights."""
    if len(inputs) != 2 or np.ndim(inputs[0]) != 1 or np.ndim(inputs[1]) != 1:
        return result
    for scores, weights in (inputs, inputs[::-1]):
        if isinstance(scores, MarkedArray) and scores.mark is not None:
            factor = np.array(plain(weights), dtype=np.float64)
            mark = replace(scores.mark, factor=factor)
            rec.total(mark, plain(scores) * factor)
            break
    return result


def _item(rec: Recorder, result: Any, values: MarkedArray, key: Any) -> Any:
    assert values.mark is not None and values.mark.positions is not None
    moved = values.mark.positions[_plain_all(key)]
    if isinstance(result, np.ndarray):
        return marked(result, values.mark.moved(moved))
    return _read_one(rec, result, int(moved), values.mark)


def _read_one(rec: Recorder, result: Any, position: int, mark: Mark) -> Any:
    if position < 0:
        return result
    rec.single(mark, position, float(result), read_out=True)
    return placed(result, position, mark) if isinstance(result, float) else result


def _assigned(rec: Recorder, result: Any, target: MarkedArray, key: Any, value: Any) -> None:
    new = value.mark if isinstance(value, MarkedArray) else None
    if isinstance(value, Tensor):
        new = rec.marks.find(value)
    if isinstance(value, Placed):
        new = replace(value.mark, positions=np.array(value.position, np.int32))
    old = target.mark
    if new is None or new.positions is None:
        if old is not None and old.positions is not None and _is_zero(value):
            old.positions[_plain_all(key)] = -1
        return
    if old is None or old.positions is None:
        old = Mark(np.full(target.shape, -1, np.int32), new.loss, new.weights, softmax=new.softmax)
    assert old.positions is not None
    old.positions[_plain_all(key)] = new.positions
    width = min(old.softmax, new.softmax)
    target.mark = Mark(old.positions, max(old.loss, new.loss), new.weights, softmax=width)


def _is_zero(value: Any) -> bool:
    return isinstance(value, int | float) and value == 0


def _read_all(rec: Recorder, result: Any, values: MarkedArray) -> Any:
    mark = values.mark
    if mark is None or mark.positions is None:
        return result
    rec.total(mark, plain(values), read_out=True)
    if mark.positions.size > READ_AT_ONCE:
        return result
    return placed_list(result, mark.positions.tolist(), mark)


def _read_item(rec: Recorder, result: Any, values: MarkedArray, place: Any) -> Any:
    mark = values.mark
    if mark is None or mark.positions is None:
        return result
    return _read_one(rec, result, int(mark.positions.item(*place)), mark)


class NumpyHooks:
    """Wraps the few numpy and torch entrances through which marks would be lost."""

    def __init__(self, recorder: Recorder) -> None:
        listen(recorder)
        self._kept = {name: getattr(np, name) for name in (*_BUFFERS, *_CONVERTERS)}
        for name in _BUFFERS:
            setattr(np, name, _buffer(self._kept[name]))
        for name in _CONVERTERS:
            setattr(np, name, _converter(recorder, self._kept[name]))

    def close(self) -> None:
        """Takes everything back."""
        listen(None)
        for name, function in self._kept.items():
            setattr(np, name, function)


_BUFFERS = ("zeros", "empty", "full")
_CONVERTERS = ("asarray", "array", "ascontiguousarray")


def _buffer(function: Any) -> Any:
    def made(*args: Any, **kwargs: Any) -> Any:
        out = function(*args, **kwargs)
        return marked(out, None) if out.dtype.kind == "f" and 8 <= out.size <= BUFFER else out

    return seen_through(made, function)


def _converter(recorder: Recorder, function: Any) -> Any:
    def made(*args: Any, **kwargs: Any) -> Any:
        out = function(*args, **kwargs)
        source = args[0] if args else None
        if isinstance(source, Tensor):
            return marked(out, recorder.marks.find(source))
        if isinstance(source, MarkedArray):
            return marked(out, source.mark)
        if type(source) is list and source and any(isinstance(s, Placed) for s in source[:64]):
            places = [s.position if isinstance(s, Placed) else -1 for s in source]
            latest = max((s.mark for s in source if isinstance(s, Placed)), key=lambda m: m.loss)
            return marked(out, latest.moved(np.array(places, np.int32)))
        return out

    return seen_through(made, function)
