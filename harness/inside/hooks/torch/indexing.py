"""Indexing and gathering: elements of a map, or scores that are picked out of a table."""

from typing import Any

import numpy as np
from torch import Tensor

from harness.inside.hooks.dynamo_compat import from_numpy
from harness.inside.hooks.recording.position_maps import UNRELATED
from harness.inside.hooks.recording.recorder import Recorder
from harness.inside.hooks.torch.scores import Scores
from harness.inside.hooks.torch.transfer import Transfer, is_plain, on_host


class Indexing:
    """Their handlers."""

    def __init__(self, recorder: Recorder, scores: Scores) -> None:
        self._maps, self._scores = recorder.maps, scores
        self._transfer = Transfer(recorder.maps)

    def item(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """`source[key]`."""
        source, key = args
        mapped = self._maps.find(source)
        if mapped is None:
            if isinstance(key, tuple) and source.is_floating_point() and source.ndim >= 2:
                indices = [k for k in key if isinstance(k, Tensor)]
                self._scores.picked(source, indices, out, in_rows=len(key) == source.ndim)
        elif mapped is UNRELATED:
            self._maps.put(out, mapped)
        elif is_plain(key):
            self._maps.put(out, mapped.moved(np.asarray(mapped.positions[key])))
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
            return
        index = kwargs.get("index", kwargs.get("indices"))
        if index is None:
            index = next((a for a in args[1:] if isinstance(a, Tensor)), None)
        if isinstance(index, Tensor) and source.is_floating_point() and source.ndim >= 2:
            dim = kwargs.get("dim", args[1] if len(args) > 1 and isinstance(args[1], int) else None)
            self._scores.picked(source, [index], out, in_rows=dim in (-1, source.ndim - 1))
