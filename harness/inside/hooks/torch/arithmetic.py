"""Arithmetic on tensors with a map: element by element, in place, and along an axis."""

from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from harness.inside.hooks.dynamo_compat import to_numpy
from harness.inside.hooks.recording.position_maps import (
    PositionMap,
    Positions,
    latest,
    merged,
    mixed,
)
from harness.inside.hooks.recording.recorder import Recorder
from harness.inside.hooks.recording.widths import after
from harness.inside.hooks.torch.added_up import AddedUp
from harness.inside.hooks.torch.names import (
    CHOOSES,
    DIVIDE,
    KEEPS_IDS,
    MULTIPLY,
    NEGATE,
    PRODUCTS,
    TOTALS,
)
from harness.inside.hooks.torch.scores import Scores


class Arithmetic:
    """Its handlers."""

    def __init__(self, recorder: Recorder, scores: Scores) -> None:
        self._maps, self._scores = recorder.maps, scores
        self._added_up = AddedUp(recorder)

    def elementwise(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """Elements keep their places; scores become a mixture, unless they were only scaled."""
        maps = [m for m in map(self._maps.find, args) if m is not None]
        if not maps or not isinstance(out, Tensor) or self._added_up.taken(name, args, out):
            return
        if out.is_floating_point():
            if name in MULTIPLY and all(m.loss < 0 for m in maps):
                self._scores.picked_by_product(args, out)
                return
            maps = [m for m in maps if m.loss >= 0]
        elif name not in KEEPS_IDS:
            return
        if not maps:
            return
        shape = tuple(out.shape)
        positions = self._where(args, shape) if name == "where" else merged(shape, maps)
        if positions is not None:
            factor = self._factor(name, args, maps)
            scaled = latest(maps).scaled(positions, factor)
            self._maps.put(out, self._still(name, args, maps, scaled, out))
            if name in CHOOSES:
                sides = args[1:3] if name == "where" else args[:2]
                self._scores.chosen([s for s in sides if isinstance(s, Tensor)], out, scaled)

    def _still(
        self, name: str, args: Any, maps: list[PositionMap], scaled: PositionMap, out: Tensor
    ) -> PositionMap:
        """The result's map, with what it is normalised by."""
        mine = maps[0]
        if len(maps) != 1 or not (mine.softmax_width or mine.row_width or mine.normaliser):
            return scaled
        first = self._maps.find(args[0]) is mine
        source = args[0] if first else args[1]
        if out.device.type != "cpu" or (scaled.softmax_width and scaled.factor is not None):
            return scaled
        other = args[1] if first and len(args) > 1 else None if first else args[0]
        if isinstance(other, Tensor):
            other = to_numpy(other.detach().double())
        elif not isinstance(other, int | float):
            other = None
        fields = after(
            *(name, mine, scaled.positions, other, first),
            lambda: bool((out == source).all()),
        )
        return replace(scaled, **fields) if fields else scaled

    def in_place(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """The same where the first argument takes the result."""
        target = args[0]
        if not isinstance(target, Tensor) or not target.is_floating_point():
            return
        if target.ndim == 0:
            self._added_up.taken(name, args, target)
            return
        maps = [m for m in map(self._maps.find, args) if m is not None and m.loss >= 0]
        positions = merged(tuple(target.shape), maps)
        if positions is not None:
            plain = name.strip("_").removeprefix("i")
            factor = self._factor(plain, args, maps) if plain in MULTIPLY | DIVIDE else None
            self._maps.put(target, latest(maps).scaled(positions, factor))

    def reduced(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """A mixture where places stay the same along the axis, or else a total."""
        if name in PRODUCTS:
            self._scores.product(name, func, args, kwargs, out)
            return
        values = args[0] if args else kwargs.get("input")
        mapped = self._maps.find(values)
        if mapped is None or mapped.loss < 0:
            return
        axis = kwargs.get("dim", args[1] if len(args) > 1 else None)
        if isinstance(axis, Tensor):  # `torch.min(one, other)`
            self.elementwise("minimum", func, args, kwargs, out)
            return
        result = out if isinstance(out, Tensor) else out[0]
        if axis is not None and not isinstance(axis, Tensor) and name != "cumsum":
            axes = tuple(axis) if isinstance(axis, list | tuple) else axis
            kept = mixed(mapped.positions, axes, result.ndim == values.ndim)
            if kept is not None and kept.shape == tuple(result.shape):
                averaged = mapped.averaged(kept)
                self._maps.put(result, averaged)
                if name in CHOOSES and isinstance(axis, int):
                    self._scores.chosen(values.unbind(axis), result, averaged, all_known=True)
                return
        if name in TOTALS:
            self._scores.total(mapped, values, result)

    def scattered(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """`totals.index_add_(0, of_each, scores)`: a total of every document."""
        if not isinstance(out, Tensor) or out.ndim != 1:
            return
        for scores in (*args[1:], *kwargs.values()):
            mapped = self._maps.related(scores) if isinstance(scores, Tensor) else None
            if mapped is not None and mapped.loss >= 0:
                self._scores.total(mapped, scores, out)
                return

    def _where(self, args: Any, shape: tuple[int, ...]) -> Positions | None:
        """The places of the chosen side. A tensor without a map that stands in for scores is of
        the same tokens (a table's probability), a number takes them out.
        """
        yes, no = (self._maps.related(side) for side in args[1:3])
        sides: list[Any] = [np.int32(-1) if m is None else m.positions for m in (yes, no)]
        if yes is not None and no is None and not _is_number(args[2]):
            sides[1] = sides[0]
        if no is not None and yes is None and not _is_number(args[1]):
            sides[0] = sides[1]
        condition = to_numpy(args[0].detach().cpu())
        try:
            return np.array(np.broadcast_to(np.where(condition, *sides), shape))
        except ValueError:
            return None

    def _factor(self, name: str, args: Any, maps: list[PositionMap]) -> Any:
        """What a score was multiplied by, where that is all that happened to it."""
        if len(maps) != 1 or name not in MULTIPLY | DIVIDE | NEGATE:
            return None
        before = maps[0].factor
        if name in NEGATE:
            return -1.0 if before is None else -before
        other = next((a for a in args if self._maps.find(a) is not maps[0]), None)
        if other is None or (name in DIVIDE and self._maps.find(args[0]) is None):
            return None
        if isinstance(other, Tensor):
            other = other.detach()
        if name in DIVIDE:
            other = 1.0 / other
        return other if before is None else before * other


def _is_number(side: Any) -> bool:
    return not isinstance(side, Tensor) or side.numel() == 1
