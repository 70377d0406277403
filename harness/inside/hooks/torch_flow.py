"""How marks flow through torch functions.

One handler for each *kind* of function: rearranging (the same function runs on the map), casts,
element-wise arithmetic, reductions (a total, or a mixture when the position does not change along
the axis), assignments. Where scores appear and are added up: `torch_scores`.
Functions that are in no group end a mark: what is lost is *not rebuilt*, never wrong.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from harness.inside.hooks.marks import Mark, Positions, merged, mixed
from harness.inside.hooks.recorder import INTEGERS, Recorder
from harness.inside.hooks.torch_names import (
    DIVIDE,
    ELEMENTWISE,
    IN_PLACE,
    JOIN,
    KEEPS_IDS,
    MULTIPLY,
    REARRANGE,
    REDUCE,
    SAME,
)
from harness.inside.hooks.torch_scores import TorchScores, on_host
from harness.inside.hooks.unseen import from_numpy, to_numpy

# Returns nothing, but for numbers that are read out: those come back with their places.
Handler = Callable[[str, Any, tuple[Any, ...], dict[str, Any], Any], Any]

READ = ["item", "tolist", "__float__"]
PLAIN = {slice, int, type(None), type(...)}  # indices


class TorchFlow:
    """The handlers, by the function's name."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._marks = recorder.marks
        self._scores = TorchScores(recorder)
        following: list[tuple[list[str], Handler]] = [
            (REARRANGE, self._rearrange),
            (SAME, self._same),
            (ELEMENTWISE, self._elementwise),
            (IN_PLACE, self._in_place),
            (REDUCE, self._reduce),
            (READ, self._scores.read),
            (["masked_fill", "masked_fill_", "pad", "fill_", "zero_"], self._fill),
            (["__setitem__", "index_put_", "index_copy_", "scatter_", "copy_"], self._assign),
        ]
        marking: list[tuple[list[str], Handler]] = [
            (JOIN, self._rearrange),
            (["__getitem__"], self._getitem),
            (["gather", "take_along_dim"], self._gather),
            (["log_softmax"], self._scores.log_softmax),
            (["cross_entropy", "nll_loss"], self._scores.cross_entropy),
            (["matmul", "__matmul__", "mv"], self._scores.product),
            (["tensor", "as_tensor", "from_numpy", "frombuffer"], self._made),
        ]
        # Of no use where no argument itself is marked.
        self.followers = {name for names, _ in following for name in names}
        self.handlers: dict[str, Handler] = {
            name: handler for names, handler in following + marking for name in names
        }

    # -- rearranging ----------------------------------------------------------------------------

    def _rearrange(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        first = args[0] if args else kwargs.get("tensors", kwargs.get("input"))
        source = self._source(first)
        if source is None:
            return
        if source.positions is None:
            self._give(out, source)
            return
        with torch.no_grad():
            moved = func(*[self._as_maps(a) for a in args], **on_host(kwargs))
        self._give_maps(out, moved, source)

    def _source(self, first: Any) -> Mark | None:
        """The mark of a tensor; of a list of tensors, the latest score's or else any."""
        if isinstance(first, Tensor):
            return self._marks.find(first)
        if not isinstance(first, list | tuple):
            return None
        found = [m for m in map(self._marks.find, first) if m is not None]
        known = [m for m in found if m.positions is not None]
        return max(known or found, key=lambda m: m.loss, default=None)

    def _as_maps(self, argument: Any) -> Any:
        """An argument with every marked tensor replaced by its map, every other by a host copy."""
        if isinstance(argument, list | tuple) and any(isinstance(a, Tensor) for a in argument):
            return type(argument)(self._as_map(a, unknown=True) for a in argument)
        return self._as_map(argument, unknown=False)

    def _as_map(self, argument: Any, unknown: bool) -> Any:
        if not isinstance(argument, Tensor):
            return argument
        mark = self._marks.find(argument)
        if mark is not None and mark.positions is not None:
            return from_numpy(mark.positions)
        if unknown:
            return torch.full(argument.shape, -1, dtype=torch.int32)
        return argument.detach().cpu()

    def _give(self, out: Any, mark: Mark) -> None:
        if isinstance(out, Tensor):
            self._marks.put(out, mark)
        elif isinstance(out, list | tuple):
            for part in out:
                self._give(part, mark)

    def _give_moved(self, out: Any, moved: Any, source: Mark) -> None:
        if isinstance(out, Tensor) and out.shape == moved.shape:
            positions = moved if isinstance(moved, np.ndarray) else np.array(moved)
            self._marks.put(out, source.moved(positions))

    def _give_maps(self, out: Any, moved: Any, source: Mark) -> None:
        if isinstance(out, Tensor):
            self._give_moved(out, to_numpy(moved), source)
        elif isinstance(out, list | tuple):
            for part, positions in zip(out, moved, strict=True):
                self._give_maps(part, positions, source)

    def _same(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        mark = self._marks.find(args[0]) if args else None
        if mark is not None and isinstance(out, Tensor) and out is not args[0]:
            self._marks.put(out, mark)
        elif name in ("detach", "data") or getattr(out, "dtype", 0) == torch.float64:
            self._recorder.read_pending(args[0])  # on its way into the script's own total

    def _getitem(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        source, key = args
        mark = self._marks.find(source)
        if mark is None:
            if isinstance(key, tuple) and source.is_floating_point() and source.ndim >= 2:
                indices = [k for k in key if isinstance(k, Tensor)]
                self._scores.picked(source, indices, out, len(key) == source.ndim)
        elif mark.positions is None:
            self._marks.put(out, mark)
        elif _is_plain(key):
            self._marks.put(out, mark.moved(np.asarray(mark.positions[key])))
        else:
            moved = from_numpy(mark.positions)[on_host(key)]
            self._give_maps(out, moved, mark)

    def _fill(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        mark = self._marks.find(args[0])
        if mark is None or mark.positions is None:
            return
        if name in ("fill_", "zero_"):
            self._marks.pop(args[0])
            return
        positions = from_numpy(mark.positions.copy())
        if name == "pad":
            moved = F.pad(positions, args[1] if len(args) > 1 else kwargs["pad"], value=-1)
        else:
            mask = args[1] if len(args) > 1 else kwargs["mask"]
            moved = positions.masked_fill(mask.detach().cpu(), -1)
        self._give_maps(out, moved, mark)

    # -- arithmetic -----------------------------------------------------------------------------

    def _elementwise(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        marks = [m for m in map(self._marks.find, args) if m is not None]
        if not marks or not isinstance(out, Tensor):
            return
        if out.is_floating_point():
            marks = [m for m in marks if m.positions is not None and m.loss >= 0]
        elif name not in KEEPS_IDS:
            return
        if not marks:
            return
        maps = [m.positions for m in marks if m.positions is not None]
        positions = self._where(args, out) if name == "where" else merged(tuple(out.shape), maps)
        if positions is not None:
            latest = max(marks, key=lambda m: m.loss)
            factor = self._factor(name, args, marks)
            width = latest.softmax if factor is not None else 0
            mark = Mark(positions, latest.loss, latest.weights, factor, width)
            self._marks.put(out, mark)

    def _where(self, args: Any, out: Tensor) -> Positions | None:
        condition = to_numpy(args[0].detach().cpu())
        sides: list[Any] = []
        for side in args[1:3]:
            mark = self._marks.find(side)
            known = mark is not None and mark.positions is not None
            spread = mark.positions if known and mark is not None else np.int32(-1)
            zero = not isinstance(side, Tensor) or side.numel() == 1
            sides.append((spread, known, zero))
        (yes, yes_known, _), (no, no_known, _) = sides
        if yes_known and not no_known and not sides[1][2]:
            no = yes  # an unmarked alternative of the same tokens: a table's probability
        if no_known and not yes_known and not sides[0][2]:
            yes = no
        try:
            return np.array(np.broadcast_to(np.where(condition, yes, no), tuple(out.shape)))
        except ValueError:
            return None

    def _factor(self, name: str, args: Any, marks: list[Mark]) -> Any:
        """What a score was multiplied by, where that is all that happened to it."""
        if len(marks) != 1 or name not in (MULTIPLY | DIVIDE | {"neg", "__neg__"}):
            return None
        before = marks[0].factor
        if name in ("neg", "__neg__"):
            return -1.0 if before is None else -before
        other = next((a for a in args if self._marks.find(a) is not marks[0]), None)
        if other is None or (name in DIVIDE and self._marks.find(args[0]) is None):
            return None
        if isinstance(other, Tensor):
            other = other.detach()
        if name in DIVIDE:
            other = 1.0 / other
        return other if before is None else before * other

    def _in_place(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        target = args[0]
        if not isinstance(target, Tensor) or not target.is_floating_point():
            return
        marks = [m for m in map(self._marks.find, args) if m is not None and m.loss >= 0]
        maps = [m.positions for m in marks if m.positions is not None]
        if not maps or target.ndim == 0:
            return
        positions = merged(tuple(target.shape), maps)
        if positions is not None:
            latest = max(marks, key=lambda m: m.loss)
            plain = name.strip("_").removeprefix("i")
            factor = self._factor(plain, args, marks) if plain in MULTIPLY | DIVIDE else None
            width = latest.softmax if factor is not None else 0
            self._marks.put(target, Mark(positions, latest.loss, latest.weights, factor, width))

    def _reduce(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        values = args[0] if args else kwargs.get("input")
        mark = self._marks.find(values)
        if mark is None or mark.positions is None or mark.loss < 0:
            if name in ("dot", "vdot", "inner"):
                self._scores.product(name, func, args, kwargs, out)
            return
        if name in ("dot", "vdot", "inner"):
            self._scores.product(name, func, args, kwargs, out)
            return
        axis = kwargs.get("dim", args[1] if len(args) > 1 else None)
        result = out if isinstance(out, Tensor) else out[0]
        if axis is not None and not isinstance(axis, Tensor) and name != "cumsum":
            axes = tuple(axis) if isinstance(axis, list | tuple) else axis
            kept = mixed(mark.positions, axes, result.ndim == values.ndim)
            if kept is not None and kept.shape == tuple(result.shape):
                self._marks.put(result, mark.averaged(kept))
                return
        if name in ("sum", "mean", "nansum", "nanmean", "cumsum"):
            self._scores.total(mark, values, result)

    # -- assignments ----------------------------------------------------------------------------

    def _assign(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        target = args[0]
        value = args[1] if name == "copy_" else args[-1]
        if kwargs or not isinstance(target, Tensor):
            return
        old, new = self._marks.find(target), self._marks.find(value)
        if old is None and (new is None or new.positions is None):
            return
        if old is None or old.positions is None:
            if new is None or new.positions is None:
                return
            blank = np.full(tuple(target.shape), -1, np.int32)
            old = Mark(blank, new.loss, new.weights, softmax=new.softmax)
            self._marks.put(target, old)
        key = args[1:-1] if name != "copy_" else (...,)
        self._write_map(
            func if name not in ("__setitem__", "copy_") else None, old, new, key, value, target
        )

    def _write_map(
        self, func: Any, old: Mark, new: Mark | None, key: Any, value: Any, target: Tensor
    ) -> None:
        assert old.positions is not None
        known = new is not None and new.positions is not None
        moved: Any
        if known and new is not None and new.positions is not None:
            moved = new.positions
        elif target.dtype not in INTEGERS and not _is_zero(value):
            return  # numbers of the script's own for the same tokens
        else:
            moved = -1
        if func is None and _is_plain(key[0]):
            old.positions[key[0]] = moved
        else:
            moved = from_numpy(moved) if known else moved
            with torch.no_grad():
                if func is None:
                    from_numpy(old.positions)[on_host(key[0])] = moved
                else:
                    func(from_numpy(old.positions), *on_host(key), moved)
        latest = new if known and new is not None and new.loss >= old.loss else old
        width = min(old.softmax, latest.softmax)
        same = latest.loss == old.loss and width == old.softmax and old.factor is None
        if not same:
            self._marks.put(target, Mark(old.positions, latest.loss, latest.weights, softmax=width))

    def _gather(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        source = args[0]
        mark = self._marks.find(source)
        if mark is not None and mark.positions is not None:
            host = from_numpy(mark.positions)
            moved = func(host, *on_host(args[1:]), **on_host(kwargs))
            self._give_maps(out, moved, mark)
            return
        index = kwargs.get("index", kwargs.get("indices"))
        if index is None:
            index = next((a for a in args[1:] if isinstance(a, Tensor)), None)
        if isinstance(index, Tensor) and source.is_floating_point() and source.ndim >= 2:
            dim = kwargs.get("dim", args[1] if len(args) > 1 and isinstance(args[1], int) else None)
            last = dim in (-1, source.ndim - 1)
            self._scores.picked(source, [index], out, last)

    def _made(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """A tensor was made of an array or a list."""
        if not isinstance(out, Tensor) or out.device.type != "cpu":
            return
        mark = getattr(args[0], "mark", None) if args else None
        if mark is not None and mark.positions.shape == tuple(out.shape):
            self._marks.put(out, mark)
        elif out.dtype in INTEGERS and out.numel() >= 64:
            self._recorder.align(out)


def _is_zero(value: Any) -> bool:
    return isinstance(value, int | float) and value == 0


def _is_plain(key: Any) -> bool:
    """An index that means the same to torch and numpy, and leads to a view."""
    return PLAIN.issuperset(map(type, key)) if type(key) is tuple else type(key) in PLAIN
