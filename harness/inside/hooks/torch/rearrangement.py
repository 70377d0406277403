"""Functions that move elements, keep them, or take some out: the map goes the same way."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.inside.hooks.dynamo_compat import from_numpy
from harness.inside.hooks.recording.position_maps import UNRELATED
from harness.inside.hooks.recording.recorder import FEWEST_IDS, INTEGERS, Recorder
from harness.inside.hooks.torch.transfer import Transfer, on_host


class Rearrangement:
    """Their handlers."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._maps = recorder, recorder.maps
        self._transfer = Transfer(recorder.maps)

    def rearranged(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """The same function runs on the map."""
        first = args[0] if args else kwargs.get("tensors", kwargs.get("input"))
        source = self._transfer.source(first)
        if source is None:
            return
        if source is UNRELATED:
            self._transfer.give(out, source)
            return
        with torch.no_grad():
            moved = func(*self._transfer.as_positions(args), **on_host(kwargs))
        self._transfer.give_moved(out, moved, source)

    def same(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """A cast, or the same tensor seen otherwise."""
        mapped = self._maps.find(args[0]) if args else None
        if mapped is not None and isinstance(out, Tensor) and out is not args[0]:
            self._maps.put(out, mapped)
        elif name in ("detach", "data") or getattr(out, "dtype", 0) == torch.float64:
            self._recorder.read_awaited(args[0])  # on its way into the script's own total

    def filled(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """Some elements, or all, become a constant."""
        mapped = self._maps.related(args[0])
        if mapped is None:
            return
        if name in ("fill_", "zero_"):
            self._maps.pop(args[0])
            return
        positions = from_numpy(mapped.positions.copy())
        if name == "pad":
            moved = F.pad(positions, args[1] if len(args) > 1 else kwargs["pad"], value=-1)
        else:
            mask = args[1] if len(args) > 1 else kwargs["mask"]
            moved = positions.masked_fill(mask.detach().cpu(), -1)
        self._transfer.give_moved(out, moved, mapped)

    def made(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """A tensor was made of an array, a list, a number or another tensor."""
        first = args[0] if args else kwargs.get("data")
        if isinstance(first, Tensor):
            self.same(name, func, (first,), kwargs, out)
            return
        if not isinstance(out, Tensor) or out.device.type != "cpu":
            return
        mapped = getattr(first, "position_map", None)
        if mapped is not None and mapped.positions.shape == tuple(out.shape):
            self._maps.put(out, mapped)
        elif out.dtype in INTEGERS and out.numel() >= FEWEST_IDS:
            self._recorder.align(out)
