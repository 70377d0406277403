"""Where a running script holds one token of the stream, so that it can be exchanged in place.

Tensors whose position maps know it, and whatever integer tensors, arrays and lists are reached
from the locals and globals of the script's frames, a few steps deep, and hold that part of the
stream. Does not cover: read-only memory (`np.memmap`), bytes, and what was computed from the token.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from harness.inside.hooks.recording.recorder import Recorder
from harness.streams.alignment import K

DEPTH = 3  # steps from a frame: args.data.val_tokens
MOST = 50_000  # objects looked at


@dataclass(frozen=True, eq=False)
class Holder:
    """One array or list, and the places that hold the token."""

    content: Any  # an integer array, or a list
    places: npt.NDArray[np.int64]  # (n,) flat indices

    def put(self, token: int) -> None:
        """Writes another token there."""
        if isinstance(self.content, list):
            for place in self.places:
                self.content[place] = type(self.content[place])(token)
        else:
            np.put(self.content, self.places, token)


def holders_of(recorder: Recorder, position: int, frame: FrameType | None) -> list[Holder]:
    """All that could be found from `frame` outwards."""
    found: dict[int, Holder] = {}
    ids = [thing for thing, mapped in recorder.maps.live() if mapped.loss < 0]
    for thing in (*ids, *_reached(recorder, frame)):
        if id(thing) not in found and (holder := _holder(recorder, thing, position)) is not None:
            found[id(thing)] = holder
    return list(found.values())


def _holder(recorder: Recorder, thing: Any, position: int) -> Holder | None:
    if isinstance(thing, list):
        array = _as_ids(thing)
        mapped = None
    else:
        mapped = recorder.maps.find(thing)
        array = thing.detach().numpy() if isinstance(thing, Tensor) else thing
    if array is None or array.dtype.kind not in "iu" or not array.flags.writeable:
        return None
    positions = mapped.positions if mapped is not None else recorder.aligner.positions(array)
    if positions is None:
        return None
    places = np.flatnonzero(positions.reshape(-1) == position)
    return Holder(thing if isinstance(thing, list) else array, places) if len(places) else None


def _as_ids(values: list[Any]) -> npt.NDArray[np.int64] | None:
    if len(values) < K or not all(type(v) is int for v in values[:K]):
        return None
    try:
        array = np.array(values, np.int64)
    except (ValueError, TypeError, OverflowError):
        return None
    return array if array.ndim == 1 else None


def _reached(recorder: Recorder, frame: FrameType | None) -> Iterator[Any]:
    """Tensors on the host, arrays and lists that the script's frames lead to."""
    seen: set[int] = set()
    while frame is not None:
        if recorder.sites.is_theirs(frame.f_code):
            yield from _inside([*frame.f_locals.values(), *frame.f_globals.values()], seen, DEPTH)
        frame = frame.f_back


def _inside(values: Any, seen: set[int], depth: int) -> Iterator[Any]:
    for value in values:
        if id(value) in seen or len(seen) > MOST:
            continue
        seen.add(id(value))
        if isinstance(value, Tensor):
            if value.device.type == "cpu" and not value.is_floating_point() and value.numel() >= K:
                yield value
        elif isinstance(value, np.ndarray):
            if value.size >= K:
                yield value
        elif depth > 0:
            if isinstance(value, list):
                yield value
            yield from _inside(_parts(value), seen, depth - 1)


def _parts(value: Any) -> list[Any]:
    """What a container or an object of the script's own holds."""
    if isinstance(value, dict):
        return list(value.values())[:MOST]
    if isinstance(value, list | tuple):
        return [v for v in value if not isinstance(v, int | float | str)] if len(value) < K else []
    if isinstance(value, nn.Module | type) or callable(value):
        return list(vars(value).values()) if isinstance(value, nn.Module) else []
    return list(vars(value).values()) if type(value).__module__ == "__main__" else []
