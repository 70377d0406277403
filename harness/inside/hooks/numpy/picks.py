"""Scores that are picked out of an array with a row a token, by the ids of the stream."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from harness.inside.hooks.numpy.tracked_array import plain, tracked
from harness.inside.hooks.recording.picked_rows import picked_from
from harness.inside.hooks.recording.position_maps import merged, mostly_known
from harness.inside.hooks.recording.recorder import Recorder


def picked(
    recorder: Recorder,
    source: Any,  # (..., V) float array
    indices: list[Any],  # integer arrays
    out: Any,
    of_pick: Callable[[Any], Any] | None,  # from numbers of rows to those of picks, along the last
) -> Any:
    """What was picked, with its places."""
    if not isinstance(out, np.ndarray) or out.dtype.kind != "f" or not out.size:
        return out
    found = [(recorder.clock.places(i), i) for i in indices]
    for places, ids in sorted(found, key=lambda f: -int(f[0].max(initial=-1))):
        positions = merged(out.shape, [recorder.ids(places)]) if places.size else None
        if positions is None or not mostly_known(places, partial(plain, ids)):
            continue
        mapped = recorder.loss(positions)
        if of_pick is not None:
            recorder.rows_picked(plain(source), of_pick, positions)
            seen = picked_from(plain(source), of_pick, positions, len(recorder.stream))
            mapped = replace(
                mapped,
                softmax_width=seen.softmax_width,
                factor=seen.factor,
                row_width=seen.row_width,
                normaliser=seen.normaliser,
            )
        return tracked(out, mapped)
    return out


def picked_by_key(recorder: Recorder, source: Any, key: Any, out: Any) -> Any:
    """`source[key]`."""
    if type(key) is not tuple or source.ndim < 2 or source.dtype.kind != "f":
        return out
    arrays = [k for k in key if isinstance(k, np.ndarray) and k.dtype.kind in "iu" and k.size]
    if not arrays or getattr(out, "position_map", None) is not None:
        return out
    whole = len(key) == source.ndim
    return picked(recorder, source, arrays, out, (lambda r: r[key[:-1]]) if whole else None)


def picked_along(recorder: Recorder, source: Any, indices: Any, axis: Any, out: Any) -> Any:
    """`np.take_along_axis`."""
    if np.ndim(source) < 2 or source.dtype.kind != "f":
        return out
    last = axis in (-1, source.ndim - 1)
    return picked(recorder, source, [indices], out, (lambda r: r[..., None]) if last else None)
