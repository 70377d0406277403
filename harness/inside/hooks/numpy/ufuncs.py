"""Arithmetic on tracked arrays: element by element, folded along an axis, weighted and added up."""

from dataclasses import replace
from typing import Any

import numpy as np

from harness.inside.hooks.numpy.names import CHOOSES, MIXES
from harness.inside.hooks.numpy.tracked_array import TrackedArray, map_of, maps_of, plain, tracked
from harness.inside.hooks.python.tracked_floats import READ_AT_ONCE
from harness.inside.hooks.recording.best_of import FEWEST, is_best_of
from harness.inside.hooks.recording.position_maps import PositionMap, latest, merged, mixed
from harness.inside.hooks.recording.recorder import Recorder
from harness.inside.hooks.recording.widths import after


def arithmetic(recorder: Recorder, result: Any, ufunc: Any, inputs: Any, outs: Any) -> Any:
    """A call of a ufunc: elements keep their places."""
    if ufunc is np.matmul:
        return product(recorder, result, inputs)
    if not isinstance(result, np.ndarray) or result.dtype.kind != "f":
        return result
    mapped = _combined(ufunc, inputs, result)
    if mapped is not None and ufunc in CHOOSES and outs is None:
        chosen(recorder, inputs, result, mapped)
    if outs is None:
        return tracked(result, mapped)
    if mapped is not None and isinstance(outs[0], TrackedArray):
        outs[0].position_map = mapped
    return result


def _combined(ufunc: Any, inputs: Any, result: Any) -> PositionMap | None:
    maps = maps_of(inputs)
    positions = merged(result.shape, maps)
    if positions is None:
        return None
    scaled = latest(maps).scaled(positions, _factor(ufunc, inputs, maps))
    return _still(ufunc.__name__, inputs, maps, scaled, result)


def _still(
    name: str, inputs: Any, maps: list[PositionMap], scaled: PositionMap, result: Any
) -> PositionMap:
    """The result's map, with what it is normalised by."""
    mine = maps[0]
    if len(maps) != 1 or not (mine.softmax_width or mine.row_width or mine.normaliser):
        return scaled
    if scaled.softmax_width and scaled.factor is not None:
        return scaled
    first = map_of(inputs[0]) is mine
    source = plain(inputs[0] if first else inputs[1])
    other = inputs[1] if first and len(inputs) > 1 else None if first else inputs[0]
    name = {"negative": "neg"}.get(name, name)
    fields = after(
        *(name, mine, scaled.positions, plain(other), first), lambda: bool((result == source).all())
    )
    return replace(scaled, **fields) if fields else scaled


def _factor(ufunc: Any, inputs: Any, maps: list[PositionMap]) -> Any:
    """What a score was multiplied by, where that is all that happened to it."""
    if len(maps) != 1 or ufunc not in (np.multiply, np.divide, np.negative):
        return None
    before = maps[0].factor
    if ufunc is np.negative:
        return -1.0 if before is None else -before
    scores_first = map_of(inputs[0]) is maps[0]
    if ufunc is np.divide and not scores_first:
        return None
    other = np.array(plain(inputs[1] if scores_first else inputs[0]), dtype=np.float64)
    with np.errstate(divide="ignore"):
        other = 1.0 / other if ufunc is np.divide else other
    return other if before is None else before * other


def reduced(recorder: Recorder, result: Any, ufunc: Any, inputs: Any, kwargs: Any) -> Any:
    """`ufunc.reduce`."""
    axis, adds = kwargs.get("axis", 0), ufunc is np.add
    return folded(recorder, result, inputs[0], axis, mixes=ufunc in MIXES, adds=adds)


def folded(recorder: Recorder, result: Any, values: Any, axis: Any, mixes: bool, adds: bool) -> Any:
    """A reduction: a mixture where places stay the same along the axis, or else a total."""
    mapped = map_of(values)
    if mapped is None:
        return result
    if axis is not None and values.ndim > 1 and mixes and isinstance(result, np.ndarray):
        kept = mixed(mapped.positions, axis, result.ndim == values.ndim)
        if kept is not None:
            averaged = mapped.averaged(kept)
            if not adds:
                chosen(recorder, np.moveaxis(plain(values), axis, 0), result, averaged)
            return tracked(result, averaged)
    if adds:
        recorder.total(mapped, plain(values), out=plain(result))
    return result


def chosen(recorder: Recorder, candidates: Any, result: Any, mapped: PositionMap) -> None:
    """One of several scores of each token came out: the best?"""
    if not FEWEST <= result.size <= READ_AT_ONCE:
        return
    sides = [np.broadcast_to(plain(c), result.shape).reshape(-1) for c in candidates]
    taken = np.asarray(plain(result), np.float64).reshape(-1)
    of_tokens = [isinstance(candidates, np.ndarray) or map_of(c) is not None for c in candidates]
    if is_best_of(np.array(sides, np.float64), taken, of_tokens):
        recorder.best(mapped, plain(result))


def accumulated(recorder: Recorder, result: Any, inputs: Any) -> Any:
    """`ufunc.accumulate`: a running total."""
    for mapped in maps_of(inputs):
        recorder.total(mapped, plain(inputs[0]))
    return result


def added_at(recorder: Recorder, result: Any, ufunc: Any, inputs: Any) -> Any:
    """`np.add.at(totals, of_each, scores)`: a total of every document."""
    scores = inputs[2] if len(inputs) > 2 and ufunc in (np.add, np.subtract) else None
    if (mapped := map_of(scores)) is not None:
        recorder.total(mapped, plain(scores))
    return result


def product(recorder: Recorder, result: Any, inputs: Any) -> Any:
    """A vector of scores times a vector of weights is a total."""
    if len(inputs) != 2 or np.ndim(inputs[0]) != 1 or np.ndim(inputs[1]) != 1:
        return result
    for scores, weights in (inputs, inputs[::-1]):
        mapped = map_of(scores)
        if mapped is not None:
            factor = np.array(plain(weights), dtype=np.float64)
            recorder.total(replace(mapped, factor=factor), plain(scores) * factor)
            break
    return result
