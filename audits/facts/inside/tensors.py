"""Operations inside a forward pass, written as functions of torch or as methods of tensors.

Guarantees: what is not named here is not understood, and knows nothing.
Does not cover: einsum; operations that change their argument in place, but for masks.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Final

from audits.facts.inside import operations as ops
from audits.facts.inside.arguments import (
    all_given,
    axis_at,
    axis_named,
    evaluated,
    sizes_like,
    sizes_of,
    whole_number,
)
from audits.facts.inside.linear import END, NEVER, number
from audits.facts.inside.reader import Names, Reader, root
from audits.facts.inside.sequences import (
    Known,
    Loss,
    Mask,
    Parts,
    Scores,
    Seq,
    Size,
    Waves,
    everything,
    nowhere,
    together,
    turned,
)

KEEPS: Final = frozenset(
    {"float", "to", "bfloat16", "half", "type", "type_as", "contiguous", "detach", "clone", "cuda"}
    | {"requires_grad_", "long", "int", "double", "bool", "tanh", "sigmoid", "relu", "gelu", "silu"}
    | {"exp", "log", "abs", "clamp", "pow", "sqrt", "square", "dropout", "rms_norm", "layer_norm"}
    | {"linear", "softplus", "sin", "cos", "neg", "masked_fill", "where", "lerp", "add", "mul"}
    | {"sub", "div", "bitwise_xor", "bitwise_and", "remainder", "maximum", "minimum", "checkpoint"}
    | {"cumsum", "cumprod", "logcumsumexp", "cummax", "add_", "mul_", "sub_", "expand_as", "rsqrt"}
    | {
        "logical_not",
        "logical_and",
        "ones",
        "item",
        "leaky_relu",
        "hardtanh",
        "clamp_min",
        "expand",
    }
)
_LIKE: Final = frozenset({"zeros_like", "ones_like", "empty_like", "full_like", "rand_like"})
NEW: Final = frozenset({"zeros", "ones", "full", "empty", "new_zeros", "new_ones", "new_full"})
POOLS: Final = frozenset(
    {"mean", "sum", "amax", "amin", "max", "min", "norm", "std", "var", "median"}
)
_BOUNDS: Final = frozenset({"clamp", "max", "min", "where", "masked_fill", "maximum", "minimum"})
_BENDS: Final = frozenset({"tanh", "sqrt", "log1p", "sigmoid"})
_RUNNING: Final = frozenset({"cumsum", "cumprod", "logcumsumexp", "cummax", "cummin"})
_SPREADS: Final = frozenset({"softmax", "log_softmax", "normalize", "softmin"})


def operation(
    reader: Reader,
    node: ast.Call,
    name: str,
    subject: Known,
    rest: list[ast.expr],
    names: Names,
) -> Known:
    """An operation on `subject`, written as a function or as a method."""
    if name in ("cross_entropy", "nll_loss"):
        _note_loss(reader, node, subject, evaluated(reader, rest[:1], names))
        whole = not {"weight", "label_smoothing"} & set(ops.named(node))
        return Loss() if whole and name == "cross_entropy" else None
    if isinstance(subject, Waves):
        return _of_waves(reader, node, name, subject)
    if isinstance(subject, Loss):
        return _of_loss(reader, node, name, subject)
    if (last_but := ops.attention_axis(name)) is not None:
        return attention(reader, node, last_but, all_given(reader, node, names), names)
    if name in ("cat", "concat", "hstack", "concatenate"):
        return _join(reader, node, subject, rest)
    if name in NEW and not isinstance(subject, Mask | Scores):
        return _fresh(reader, node, name, names)
    if name in ("tril", "triu") and not isinstance(subject, Mask | Scores):
        return _triangle(reader, node, name, rest)
    match subject:
        case Mask() | Scores():
            return _of_pairs(reader, node, name, subject, rest, names)
        case Seq():
            return _of_sequence(reader, node, name, subject, rest, names)
    values = evaluated(reader, rest, names)
    if name in ("where", "masked_fill"):
        masks = [value for value in (subject, *values) if isinstance(value, Mask)]
        if masks and name == "masked_fill":  # zeros, with minus infinity where the mask is true
            return masks[0]
    return (
        together([value for value in values if isinstance(value, Seq)]) if name in KEEPS else None
    )


def _of_waves(reader: Reader, node: ast.Call, name: str, waves: Waves) -> Known:
    """Back in time, what a free response made of a spectrum has parts before its cause."""
    if name not in ("irfft", "ifft"):
        return waves
    look = reader.look(node, "a filter whose response is free in the frequency domain")
    return everything(waves.of, look) if waves.free else waves.of


def _of_loss(reader: Reader, node: ast.Call, name: str, loss: Loss) -> Known:
    """Sums, views and casts keep its share; a bound, or another function, does not."""
    if name in (POOLS | KEEPS | {"view", "reshape", "squeeze"}) - _BENDS - _BOUNDS:
        return loss
    if name in _BENDS:
        return Loss(0.0, reader.look(node, name))
    return None


def _note_loss(reader: Reader, node: ast.Call, logits: Known, aims: list[Known]) -> None:
    """Logits may know what lies before their target: a slice of both moves both."""
    target = aims[0] if aims else None
    if not isinstance(logits, Seq) or not isinstance(target, Seq) or logits.pooled:
        return
    if target.ahead and logits.knows > target.knows - number(1):
        how = "the logits are made of the tokens that they are to predict"
        reader.looks.append(logits.look or reader.look(node, how))


def _join(reader: Reader, node: ast.Call, pieces: Known, rest: list[ast.expr]) -> Known:
    axis = axis_named(reader, node, rest, default=0)
    look = reader.look(node, "places are joined so that each holds a later one")
    return ops.joined(pieces.items, axis, look) if isinstance(pieces, Parts) else None


def _fresh(reader: Reader, node: ast.Call, name: str, names: Names) -> Known:
    """Zeros of a written size: the second axis is time."""
    sizes = sizes_of(node.args)
    if len(sizes) < 2:
        return None
    (length,) = evaluated(reader, [sizes[1]], names)
    return Seq(1, len(sizes), NEVER, length.value) if isinstance(length, Size) else None


def _triangle(reader: Reader, node: ast.Call, name: str, rest: list[ast.expr]) -> Known:
    keys = ops.named(node)
    given = keys.get("diagonal") or (rest[0] if rest else None)
    diagonal = 0 if given is None else whole_number(reader, given)
    if diagonal is None:
        return None
    return Mask(diagonal) if name == "tril" else Mask(diagonal - 1, opens=False)


def _of_pairs(
    reader: Reader,
    node: ast.Call,
    name: str,
    subject: Mask | Scores,
    rest: list[ast.expr],
    names: Names,
) -> Known:
    values = evaluated(reader, rest, names)
    match name, subject:
        case (("masked_fill" | "masked_fill_"), Scores()):
            made = ops.hidden(subject, values[0] if values else None, fills_true=True)
            if name.endswith("_") and isinstance(node.func, ast.Attribute):
                names[root(node.func)] = made
            return made
        case "where", Mask() if values and isinstance(values[0], Scores):
            return ops.hidden(values[0], subject, fills_true=False)
        case (("matmul" | "bmm"), Scores()):
            look = reader.look(node, "attention without a mask")
            return ops.product(subject, values[0] if values else None, look)
        case "logical_not", Mask():
            return replace(subject, opens=not subject.opens)
        case "softmax", Scores() if axis_named(reader, node, rest) == -2:
            how = "a softmax over the places that ask, not over those that are asked"
            return replace(subject, look=reader.look(node, how))
        case (("tril" | "triu"), Scores()):
            return replace(subject, masked=True)
    return subject


def _pooled_by_windows(reader: Reader, node: ast.Call, value: Seq, rest: list[ast.expr]) -> Known:
    """`F.avg_pool1d(x, 3, stride=1, padding=1)`; a longer stride joins places."""
    keys = ops.named(node)
    given = [
        keys.get(word) or (rest[place] if len(rest) > place else None)
        for place, word in enumerate(("kernel_size", "stride", "padding"))
    ]
    size, stride = (None if one is None else whole_number(reader, one) for one in given[:2])
    padding = 0 if given[2] is None else whole_number(reader, given[2])
    if size is None or stride != 1 or padding is None:
        return None
    look = reader.look(node, "a window that is padded on both sides")
    return ops.convolved(value, size, padding, 1, look)


def _of_sequence(
    reader: Reader,
    node: ast.Call,
    name: str,
    value: Seq,
    rest: list[ast.expr],
    names: Names,
) -> Known:
    values = evaluated(reader, rest, names)
    numbers = [whole_number(reader, one) for one in rest]
    look = reader.look(node, f"`{ast.unparse(node)[:60]}` looks ahead")
    match name:
        case "avg_pool1d" | "max_pool1d" | "lp_pool1d":
            return _pooled_by_windows(reader, node, value, rest)
        case "transpose" | "swapaxes":
            return ops.swapped(value, *numbers[:2]) if len(numbers) > 1 else None
        case "permute":
            return ops.moved_axes(value, [whole_number(reader, one) for one in sizes_of(rest)])
        case "view" | "reshape":
            return _reshaped(reader, value, rest, names)
        case "flatten":
            return replace(value, axis=None, flat=True, rank=None)
        case "unsqueeze":
            return _unsqueezed(value, numbers[0] if numbers else None)
        case "roll":
            axis = axis_at(reader, node, rest, "dims", 1)
            by = numbers[0] if numbers else whole_number(reader, ops.named(node).get("shifts"))
            return None if by is None else ops.rolled(value, by, axis, look)
        case "flip":
            axis = axis_at(reader, node, rest, "dims", 0)
            return turned(value, look) if ops.along(value, axis) else value
        case "pad":
            pads = [whole_number(reader, one) for one in sizes_of(rest)]
            return ops.padded(value, pads, look)
        case "embedding" | "one_hot":
            return replace(value, rank=None if value.rank is None else value.rank + 1, tokens=False)
        case "chunk" | "split" | "unbind" | "tensor_split":
            place = 0 if name == "unbind" else 1
            return ops.listed(value, axis_at(reader, node, rest, "dim", place))
        case "matmul" | "bmm":
            return ops.product(value, values[0] if values else None, look)
        case "size" if numbers and ops.along(value, numbers[0]):
            return Size(value.length)
        case "layer_norm" if _spans_time(reader, rest, value, names):
            return everything(value, look)
        case "rfft" | "fft" if ops.along(value, axis_at(reader, node, rest, "dim", 1)):
            return Waves(value)
    return _reduced(reader, node, name, value, rest, values)


def _spans_time(reader: Reader, rest: list[ast.expr], value: Seq, names: Names) -> bool:
    """`layer_norm(x, x.shape[1:])`: over the places as well as over the width."""
    match rest[:1]:
        case [ast.Subscript(value=ast.Attribute(attr="shape"), slice=ast.Slice() as cut)]:
            first = whole_number(reader, cut.lower)
            return first is not None and value.axis is not None and 0 < first <= value.axis
        case [ast.Tuple(elts=sizes) | ast.List(elts=sizes)]:
            found = evaluated(reader, list(sizes), names)
            return any(isinstance(one, Size) and one.value.lengths == 1 for one in found)
    return False


def _reduced(
    reader: Reader,
    node: ast.Call,
    name: str,
    value: Seq,
    rest: list[ast.expr],
    values: list[Known],
) -> Known:
    look = reader.look(node, f"`{ast.unparse(node)[:60]}` takes all places together")
    if name in POOLS:
        axis = axis_named(reader, node, rest)
        keeps = ops.literal(ops.named(node).get("keepdim")) is True
        if axis is None and not value.tokens:  # one number of all, as a quantiser's scale may be
            return Seq(None, None, END, look=replace(look, sure=False), pooled=True)
        return ops.pooled(value, axis, look, keeps=keeps) if axis is not None else None
    if name in _SPREADS:
        axis = axis_named(reader, node, rest, default=1 if name == "normalize" else None)
        return everything(value, look) if ops.along(value, axis) else value
    if name in _LIKE:
        return nowhere(value)
    if name in _RUNNING and value.turn is not None:
        value = replace(value, behind=look)
    if name in KEEPS:
        return together([value, *(one for one in values if isinstance(one, Seq))])
    return None


def _reshaped(reader: Reader, value: Seq, rest: list[ast.expr], names: Names) -> Known:
    sizes: list[Known | str] = []
    for one in sizes_of(rest):
        whole = isinstance(one, ast.Attribute) and one.attr == "shape"
        if isinstance(one, ast.Starred) or whole:
            like = sizes_like(reader, one.value if isinstance(one, ast.Starred) else one, names)
            if like is None:
                return None
            sizes += like
            continue
        known = "-1" if ops.literal(one) == -1 else evaluated(reader, [one], names)[0]
        sizes.append(known)
    return ops.reshaped(value, sizes)


def _unsqueezed(value: Seq, axis: int | None) -> Known:
    if value.pooled:
        return value
    if axis is None or value.axis is None or value.rank is None:
        return None
    axis = axis + value.rank + 1 if axis < 0 else axis
    return replace(value, axis=value.axis + (axis <= value.axis), rank=value.rank + 1)


def attention(
    reader: Reader, node: ast.Call, last_but: int, values: list[Known], names: Names
) -> Known:
    keys = ops.named(node)
    flag = keys.get("is_causal" if last_but == 1 else "causal")
    mask = keys.get("attn_mask") or (node.args[3] if last_but == 1 and len(node.args) > 3 else None)
    causal = _flag(flag) if flag is not None else False
    given = mask is not None and not (isinstance(mask, ast.Constant) and mask.value is None)
    most: int | None = None
    masked = causal is not False
    if given and mask is not None:
        (found,) = evaluated(reader, [mask], names)
        masked, most = True, found.most if isinstance(found, Mask) else None
    window = ops.literal(keys.get("window_size"))
    if isinstance(window, tuple) and len(window) == 2 and isinstance(window[1], int):
        if causal is False and window[1] >= 0:
            masked, most = True, window[1]
    elif "window_size" in keys or any(one.arg is None for one in node.keywords):
        masked = True  # not understood
    how = (
        "attention that is neither causal nor masked"
        if most is None
        else (f"attention whose mask lets each place see {most} later")
    )
    look = reader.look(node, how)
    return ops.attended(values[:3], last_but=last_but, most=most, masked=masked, look=look)


def _flag(node: ast.expr) -> object:
    """A literal; while scores are made, `self.training` is false."""
    match node:
        case ast.Attribute(attr="training"):
            return False
        case ast.UnaryOp(op=ast.Not(), operand=ast.Attribute(attr="training")):
            return True
    return ops.literal(node)
