"""How marks flow through torch functions, and where scores appear and are added up.

One handler for each *kind* of function: rearranging (the same function runs on the map), casts,
element-wise arithmetic, reductions (a total, or a mixture when the position does not change along
the axis), assignments, gathers of a token's probability, cross-entropies, and reading numbers out.
Functions that are in no group end a mark: what is lost is *not rebuilt*, never wrong.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from harness.upstream.capture.log_softmaxes import LogSoftmaxes
from harness.upstream.capture.marks import Mark, Positions, merged, mixed
from harness.upstream.capture.python_scores import READ_AT_ONCE, placed, placed_list
from harness.upstream.capture.recorder import INTEGERS, Recorder
from harness.upstream.capture.unseen import from_numpy, to_numpy
from harness.upstream.capture.updates import note_uses

# Returns nothing, but for numbers that are read out: those come back with their places.
Handler = Callable[[str, Any, tuple[Any, ...], dict[str, Any], Any], Any]

REARRANGE = [
    "reshape",
    "view",
    "flatten",
    "squeeze",
    "unsqueeze",
    "expand",
    "expand_as",
    "view_as",
    "reshape_as",
    "transpose",
    "t",
    "permute",
    "contiguous",
    "clone",
    "narrow",
    "select",
    "index_select",
    "masked_select",
    "take",
    "chunk",
    "split",
    "tensor_split",
    "unbind",
    "cat",
    "concat",
    "concatenate",
    "stack",
    "hstack",
    "vstack",
    "roll",
    "flip",
    "unfold",
    "repeat",
    "repeat_interleave",
    "movedim",
    "swapaxes",
    "ravel",
    "diagonal",
    "T",
    "mT",
    "moveaxis",
    "unflatten",
    "__iter__",
    "split_with_sizes",
    "tile",
]
SAME = [
    "to",
    "cuda",
    "cpu",
    "float",
    "double",
    "half",
    "bfloat16",
    "long",
    "int",
    "short",
    "type",
    "type_as",
    "detach",
    "data",
    "detach_",
    "requires_grad_",
    "pin_memory",
    "__deepcopy__",
    "alias",
]
ELEMENTWISE = [
    "neg",
    "negative",
    "mul",
    "multiply",
    "div",
    "divide",
    "true_divide",
    "add",
    "sub",
    "subtract",
    "rsub",
    "log",
    "exp",
    "log1p",
    "expm1",
    "log2",
    "abs",
    "clamp",
    "clamp_min",
    "clamp_max",
    "clip",
    "where",
    "nan_to_num",
    "maximum",
    "minimum",
    "logaddexp",
    "pow",
    "sigmoid",
    "lerp",
    "square",
    "sqrt",
    "reciprocal",
    "addcmul",
    "fmax",
    "fmin",
    "__neg__",
    "__add__",
    "__radd__",
    "__sub__",
    "__rsub__",
    "__mul__",
    "__rmul__",
    "__truediv__",
    "__rtruediv__",
    "__pow__",
    "addcdiv",
]
IN_PLACE = [
    "add_",
    "sub_",
    "mul_",
    "div_",
    "neg_",
    "log_",
    "exp_",
    "clamp_",
    "clamp_min_",
    "clamp_max_",
    "__iadd__",
    "__isub__",
    "__imul__",
    "__itruediv__",
    "nan_to_num_",
    "logaddexp_",
]
KEEPS_IDS = {"clamp", "clamp_min", "clamp_max", "clip", "where", "maximum", "minimum"}
REDUCE = [
    "sum",
    "mean",
    "nansum",
    "nanmean",
    "logsumexp",
    "amax",
    "amin",
    "max",
    "min",
    "prod",
    "cumsum",
    "dot",
    "vdot",
    "inner",
]
MULTIPLY = {"mul", "multiply", "__mul__", "__rmul__"}
DIVIDE = {"div", "divide", "true_divide", "__truediv__"}
READ = ["item", "tolist", "__float__"]


class TorchFlow:
    """The handlers, by the function's name."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._marks = recorder.marks
        self._log_softmaxes = LogSoftmaxes()
        groups: list[tuple[list[str], Handler]] = [
            (REARRANGE, self._rearrange),
            (SAME, self._same),
            (ELEMENTWISE, self._elementwise),
            (IN_PLACE, self._in_place),
            (REDUCE, self._reduce),
            (READ, self._read),
            (["masked_fill", "masked_fill_", "pad", "fill_", "zero_"], self._fill),
            (["__getitem__"], self._getitem),
            (["__setitem__", "index_put_", "index_copy_", "scatter_", "copy_"], self._assign),
            (["gather", "take_along_dim"], self._gather),
            (["log_softmax"], self._log_softmax),
            (["cross_entropy", "nll_loss"], self._cross_entropy),
            (["matmul", "__matmul__", "mv"], self._product),
            (["tensor", "as_tensor", "from_numpy", "frombuffer"], self._made),
        ]
        self.handlers: dict[str, Handler] = {n: handler for names, handler in groups for n in names}

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
            moved = func(*[self._as_maps(a) for a in args], **_on_host(kwargs))
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
        if isinstance(out, Tensor) and tuple(out.shape) == np.shape(moved):
            self._marks.put(out, source.moved(np.asarray(moved)))

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
                width = self._log_softmaxes.width(source) if len(key) == source.ndim else 0
                self._picked(source, [k for k in key if isinstance(k, Tensor)], out, width)
        elif mark.positions is None:
            self._marks.put(out, mark)
        elif _is_plain(key):
            self._give_moved(out, mark.positions[key], mark)
        else:
            moved = from_numpy(mark.positions)[_on_host(key)]
            self._give_maps(out, moved, mark)

    def _fill(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        mark = self._marks.find(args[0])
        if mark is None or mark.positions is None:
            return
        if name in ("fill_", "zero_"):
            self._marks.drop(args[0])
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
                self._product(name, func, args, kwargs, out)
            return
        if name in ("dot", "vdot", "inner"):
            self._product(name, func, args, kwargs, out)
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
            self._total(mark, values, result, name)

    def _product(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """A vector of scores times a vector of weights."""
        if len(args) < 2 or args[0].ndim != 1 or args[1].ndim != 1:
            return
        for scores, weights in ((args[0], args[1]), (args[1], args[0])):
            mark = self._marks.find(scores)
            if mark is not None and mark.positions is not None and mark.loss >= 0:
                weighted = replace(mark, factor=weights.detach())
                self._total(weighted, scores.detach() * weights.detach(), out, "dot")
                return

    def _total(self, mark: Mark, values: Tensor, out: Tensor, how: str) -> None:
        if values.requires_grad and torch.is_grad_enabled():
            note_uses(out, _weighing(mark))
            self._recorder.pending[out] = (mark, values.detach(), how)
        else:
            self._recorder.total(mark, values, how)

    def _read(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> Any:
        self._recorder.read_pending(args[0])
        mark = self._marks.find(args[0])
        if mark is None or mark.positions is None or mark.loss < 0:
            return None
        if isinstance(out, float):
            position = int(mark.positions.reshape(-1)[0])
            if position >= 0:
                self._recorder.single(mark, position, out, "read")
            return placed(out, position, mark)
        self._recorder.total(mark, args[0], "read")
        if mark.positions.size <= READ_AT_ONCE:
            return placed_list(out, mark.positions.tolist(), mark)
        return None

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
                    from_numpy(old.positions)[_on_host(key[0])] = moved
                else:
                    func(from_numpy(old.positions), *_on_host(key), moved)
        latest = new if known and new is not None and new.loss >= old.loss else old
        width = min(old.softmax, latest.softmax)
        self._marks.put(target, Mark(old.positions, latest.loss, latest.weights, softmax=width))

    # -- scores appear --------------------------------------------------------------------------

    def _gather(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        source = args[0]
        mark = self._marks.find(source)
        if mark is not None and mark.positions is not None:
            host = from_numpy(mark.positions)
            moved = func(host, *_on_host(args[1:]), **_on_host(kwargs))
            self._give_maps(out, moved, mark)
            return
        index = kwargs.get("index", kwargs.get("indices"))
        if index is None:
            index = next((a for a in args[1:] if isinstance(a, Tensor)), None)
        if isinstance(index, Tensor) and source.is_floating_point() and source.ndim >= 2:
            dim = kwargs.get("dim", args[1] if len(args) > 1 and isinstance(args[1], int) else None)
            last = dim in (-1, source.ndim - 1)
            self._picked(source, [index], out, self._log_softmaxes.width(source) if last else 0)

    def _log_softmax(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        self._log_softmaxes.put(out, kwargs.get("dim", args[1] if len(args) > 1 else None))

    def _picked(self, source: Tensor, indices: list[Tensor], out: Tensor, softmax: int) -> None:
        """A number for each token was picked out of a table with a row a token."""
        for index in indices:
            if index.dtype not in INTEGERS:
                continue
            mark = self._marks.find(index)
            if mark is None and out.numel() >= index.numel() >= 64 and index.dtype == torch.int64:
                mark = self._recorder.align(index)
            if mark is None or mark.positions is None or mark.loss >= 0:
                continue
            positions = merged(tuple(out.shape), [mark.positions])
            if positions is not None and (positions >= 0).any():
                self._marks.put(out, self._recorder.loss(positions, softmax))
                return

    def _cross_entropy(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        call = dict(zip(("input", "target", "weight", "", "ignore_index"), args, strict=False))
        call.update(kwargs)
        logits, target = call["input"], call["target"]
        if target.is_floating_point() or call.get("weight") is not None:
            return
        if call.get("label_smoothing", 0.0):
            return
        positions = self._recorder.positions(target)
        if positions is None:
            return
        ignored = call.get("ignore_index", -100)
        if logits.device.type == "cpu":
            positions = np.where(to_numpy(target) == ignored, np.int32(-1), positions)
        if not (positions >= 0).any():
            return
        width = logits.shape[1] if name == "cross_entropy" and logits.ndim > 1 else 0
        mark = self._recorder.loss(positions, width)
        if out.numel() == target.numel() and call.get("reduction", "mean") == "none":
            self._marks.put(out, mark)
            return
        self._reduced(func, call, mark, out)

    def _reduced(self, func: Any, call: dict[str, Any], mark: Mark, out: Tensor) -> None:
        """The script asked for a mean or a sum: the same call once more, token by token."""
        wants_grad = out.requires_grad
        how = str(call.get("reduction", "mean"))
        if wants_grad and out.device.type != "cpu":
            each = out.detach().expand(call["target"].shape)  # read out seldom: the mean will do
            each = each / call["target"].numel() if how == "sum" else each
        else:
            options = {"ignore_index": call.get("ignore_index", -100), "reduction": "none"}
            with torch.no_grad():
                each = func(call["input"].detach(), call["target"], **options)
        if wants_grad:
            note_uses(out, mark.positions)
            self._recorder.pending[out] = (mark, each, how)
        else:
            self._recorder.total(mark, each, how)

    def _made(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """A tensor was made of an array or a list."""
        if not isinstance(out, Tensor) or out.device.type != "cpu":
            return
        mark = getattr(args[0], "mark", None) if args else None
        if mark is not None and mark.positions.shape == tuple(out.shape):
            self._marks.put(out, mark)
        elif out.dtype in INTEGERS and out.numel() >= 64:
            self._recorder.align(out)


def _weighing(mark: Mark) -> Positions:
    """Positions that enter a total with a weight that is not zero."""
    assert mark.positions is not None
    if mark.factor is None:
        return mark.positions
    factor = _on_host(mark.factor)
    factor = to_numpy(factor) if isinstance(factor, Tensor) else factor
    return np.where(np.broadcast_to(factor, mark.positions.shape) != 0, mark.positions, -1)


def _is_zero(value: Any) -> bool:
    return isinstance(value, int | float) and value == 0


def _is_plain(key: Any) -> bool:
    """An index that means the same to torch and numpy, and leads to a view."""
    if isinstance(key, tuple):
        return all(k is None or k is ... or type(k) in (slice, int) for k in key)
    return key is None or key is ... or type(key) in (slice, int)


def _on_host(thing: Any) -> Any:
    """Index tensors, wherever they are nested, on the host."""
    if isinstance(thing, Tensor):
        return thing.detach().cpu()
    if isinstance(thing, tuple | list):
        return type(thing)(_on_host(t) for t in thing)
    if isinstance(thing, dict):
        return {k: _on_host(v) for k, v in thing.items()}
    return thing
