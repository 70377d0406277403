"""Handing a position map on: to what a function gave back, in the shape that it has now.

Maps are rearranged by the same torch function as their tensors, on the host.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from harness.inside.hooks.dynamo_compat import from_numpy, to_numpy
from harness.inside.hooks.recording.position_maps import (
    UNRELATED,
    PositionMap,
    PositionMaps,
    latest,
)

PLAIN_INDICES = {slice, int, type(None), type(...)}


def is_plain(key: Any) -> bool:
    """An index that means the same to torch and numpy, and leads to a view."""
    if type(key) is tuple:
        return PLAIN_INDICES.issuperset(map(type, key))
    return type(key) in PLAIN_INDICES


def on_host(thing: Any) -> Any:
    """Index tensors, wherever they are nested, on the host."""
    if isinstance(thing, Tensor):
        return thing.detach().cpu()
    if isinstance(thing, tuple | list):
        return type(thing)(on_host(t) for t in thing)
    if isinstance(thing, dict):
        return {k: on_host(v) for k, v in thing.items()}
    return thing


class Transfer:
    """Gives maps to tensors."""

    def __init__(self, maps: PositionMaps) -> None:
        self._maps = maps

    def source(self, first: Any) -> PositionMap | None:
        """The map of a tensor; of a list of tensors, the newest score's or else any."""
        if isinstance(first, Tensor):
            return self._maps.find(first)
        if not isinstance(first, list | tuple):
            return None
        found = [m for m in map(self._maps.find, first) if m is not None]
        related = [m for m in found if m is not UNRELATED]
        return latest(related or found) if found else None

    def as_positions(self, arguments: Iterable[Any]) -> list[Any]:
        """Arguments with positions in place of tensors that have a map, and all on the host."""
        return [self._as_positions(argument) for argument in arguments]

    def _as_positions(self, argument: Any) -> Any:
        if isinstance(argument, list | tuple) and any(isinstance(a, Tensor) for a in argument):
            return type(argument)(self._joined(a) for a in argument)
        if not isinstance(argument, Tensor):
            return argument
        mapped = self._maps.related(argument)
        return argument.detach().cpu() if mapped is None else from_numpy(mapped.positions)

    def _joined(self, argument: Any) -> Any:
        """Positions of one of several that are joined; unknown ones where it has no map."""
        if isinstance(argument, Tensor) and self._maps.related(argument) is None:
            return torch.full(argument.shape, -1, dtype=torch.int32)
        return self._as_positions(argument)

    def give(self, out: Any, mapped: PositionMap) -> None:
        """The map itself, to all that a function gave back."""
        if isinstance(out, Tensor):
            self._maps.put(out, mapped)
        elif isinstance(out, list | tuple):
            for part in out:
                self.give(part, mapped)

    def give_moved(self, out: Any, moved: Any, source: PositionMap) -> None:
        """The positions `moved`, which the same function gave back for those of the source."""
        if isinstance(out, Tensor):
            if out.shape == moved.shape:
                self._maps.put(out, source.moved(to_numpy(moved)))
        elif isinstance(out, list | tuple):
            for part, positions in zip(out, moved, strict=True):
                self.give_moved(part, positions, source)
