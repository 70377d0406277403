"""Totals that a script adds up score by score, in tensors without a dimension.

`for v in nats: total += v`, `sum(nats)`: each number that is added to a total has been counted. A
total is what one was added to in place, zero, what scores of two tokens were added up to, and what
comes of adding to one of these.

Guarantees: any other sum of two numbers stays a part of a score (a logarithm of a sum minus a
logit). Does not cover: totals that carry a gradient, accelerators.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from harness.inside.hooks.dynamo_compat import to_numpy
from harness.inside.hooks.recording.identity_map import WeakIdentityMap
from harness.inside.hooks.recording.position_maps import PositionMap
from harness.inside.hooks.recording.recorder import Recorder

ADDS = {"add", "__add__", "__radd__", "add_", "__iadd__"}
SUBTRACTS = {"sub", "subtract", "__sub__", "sub_", "__isub__"}


class AddedUp:
    """The totals that are known."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._maps = recorder, recorder.maps
        self._totals: WeakIdentityMap[bool] = WeakIdentityMap()

    def taken(self, name: str, args: Any, out: Any) -> bool:
        """Whether it was a step of a total, which is noted then, and no part of a score."""
        if name not in ADDS | SUBTRACTS or not isinstance(out, Tensor) or out.ndim:
            return False
        if out.device.type != "cpu" or out.requires_grad or not out.is_floating_point():
            return False
        in_place = (name.endswith("_") and not name.endswith("__")) or name.startswith("__i")
        if not self._is_total(args, in_place):
            return False
        for number, mapped in self._scores(args, out, in_place, name in SUBTRACTS):
            position = int(mapped.positions.reshape(-1)[0])
            if position >= 0:
                self._recorder.single(mapped, position, number, read_out=False)
        self._maps.pop(out)
        self._totals.put(out, True)
        return True

    def _is_total(self, args: Any, in_place: bool) -> bool:
        """One of both sides is, or they are scores of two tokens."""
        known = [self._maps.find(one) for one in args[:2]]
        scores = [mapped for mapped in known if mapped is not None and mapped.loss >= 0]
        if not scores or any(mapped.positions.size != 1 for mapped in scores):
            return False
        if len(scores) == 2:
            places = [int(mapped.positions.reshape(-1)[0]) for mapped in scores]
            return places[0] != places[1]
        other = args[0] if known[0] is not scores[0] else args[1]
        if not isinstance(other, Tensor):
            return False
        return in_place or self._totals.find(other) is not None or _number(other) == 0.0

    def _scores(
        self, args: Any, out: Tensor, in_place: bool, subtracted: bool
    ) -> Iterator[tuple[float, PositionMap]]:
        """What is added; a score that took the others in holds the total by now."""
        sign = -1.0 if subtracted else 1.0
        for side, one in enumerate(args[:2]):
            mapped = self._maps.find(one)
            if mapped is None or mapped.loss < 0:
                continue
            if side == 0 and in_place:
                yield _number(out) - sign * _number(args[1]), mapped
            else:
                yield (sign if side else 1.0) * _number(one), mapped


def _number(one: Tensor) -> float:
    with torch._C.DisableTorchFunction():
        return float(to_numpy(one.detach().double()))
