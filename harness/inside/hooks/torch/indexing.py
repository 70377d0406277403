"""Indexing and gathering: elements of a map, or scores that are picked out of a table."""

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from harness.inside.hooks.dynamo_compat import from_numpy, to_numpy
from harness.inside.hooks.recording.position_maps import UNRELATED, PositionMap
from harness.inside.hooks.recording.recorder import Recorder
from harness.inside.hooks.torch.scores import Scores
from harness.inside.hooks.torch.transfer import Transfer, is_plain, on_host


class Indexing:
    """Their handlers."""

    def __init__(self, recorder: Recorder, scores: Scores) -> None:
        self._recorder, self._maps, self._clock = recorder, recorder.maps, recorder.clock
        self._scores = scores
        self._transfer = Transfer(recorder.maps)

    def item(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """`source[key]`."""
        source, key = args
        mapped = self._maps.find(source)
        if mapped is None:
            if isinstance(key, tuple) and source.is_floating_point() and source.ndim >= 2:
                indices = [k for k in key if isinstance(k, Tensor)]
                whole = len(key) == source.ndim
                self._scores.picked(source, indices, out, _of_key(key) if whole else None)
        elif mapped is UNRELATED:
            self._maps.put(out, mapped)
        elif is_plain(key):
            moved = np.asarray(mapped.positions[key])
            self._maps.put(out, mapped.moved(moved))
            if mapped.loss < 0:
                self._clock.block_read(moved)
        else:
            moved = from_numpy(mapped.positions)[on_host(key)]
            self._transfer.give_moved(out, moved, mapped)

    def gathered(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """`gather` and its like."""
        source = args[0]
        mapped = self._maps.related(source)
        if mapped is not None:
            moved = func(from_numpy(mapped.positions), *on_host(args[1:]), **on_host(kwargs))
            self._transfer.give_moved(out, moved, mapped)
            dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
            if mapped.loss >= 0 and isinstance(dim, int) and out.shape[dim] == 1:
                chosen = mapped.averaged(to_numpy(moved.squeeze(dim)))
                one = out.squeeze(dim)
                self._scores.chosen(source.unbind(dim), one, chosen, all_known=True)
            return
        index = kwargs.get("index", kwargs.get("indices"))
        if index is None:
            index = next((a for a in args[1:] if isinstance(a, Tensor)), None)
        if isinstance(index, Tensor) and source.is_floating_point() and source.ndim >= 2:
            dim = kwargs.get("dim", args[1] if len(args) > 1 and isinstance(args[1], int) else None)
            along_last = dim in (-1, source.ndim - 1)
            self._scores.picked(source, [index], out, _of_gather if along_last else None)

    def one_hot(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """The entry of each target is the place of the target, so that a product picks it."""
        ids = args[0] if args else kwargs.get("input", kwargs.get("tensor"))
        places = self._recorder.positions(ids) if isinstance(ids, Tensor) else None
        if places is None or out.device.type != "cpu" or not (places >= 0).any():
            return
        at = np.where(to_numpy(out) == 1, places[..., None], np.int32(-1))
        self._maps.put(out, PositionMap(at.astype(np.int32)))


def _of_gather(of_rows: Any) -> Any:
    return of_rows[..., None]


def _of_key(key: tuple[Any, ...]) -> Callable[[Any], Any]:
    def of_pick(of_rows: Any) -> Any:
        return of_rows[tuple(to_numpy(k.cpu()) if isinstance(k, Tensor) else k for k in key[:-1])]

    return of_pick
