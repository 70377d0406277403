"""Calls inside a forward pass: layers of the class, functions of torch, methods of tensors.

Guarantees: what is not named here keeps places where they are, if it is a layer, and is not
understood otherwise.
Does not cover: functions of the script outside the class, but for those whose names say that they
act on each place alone.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import Final

from audits.facts.inside import operations as ops
from audits.facts.inside.linear import END, NEVER, number
from audits.facts.inside.reader import Names, Reader, root
from audits.facts.inside.sequences import (
    Known,
    Layer,
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
)

_MODULES: Final = frozenset({"torch", "F", "nn", "functional", "np", "math", "einops"})
_KEEPS: Final = frozenset(
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
_NEW: Final = frozenset({"zeros", "ones", "full", "empty", "new_zeros", "new_ones", "new_full"})
_POOLS: Final = frozenset(
    {"mean", "sum", "amax", "amin", "max", "min", "norm", "std", "var", "median"}
)
_BOUNDS: Final = frozenset({"clamp", "max", "min", "where", "masked_fill", "maximum", "minimum"})
_BENDS: Final = frozenset({"tanh", "sqrt", "log1p", "sigmoid"})
_LISTS: Final = frozenset({"ModuleList", "Sequential", "compile", "checkpoint_wrapper"})
_DEEPEST: Final = 6  # parts of parts
_SPREADS: Final = frozenset({"softmax", "log_softmax", "normalize", "softmin"})
_OF_ALL: Final = frozenset({"InstanceNorm1d", "GroupNorm"})
_KEEPING: Final = re.compile(r"rot|rope|norm|act|relu|gelu|silu|swish|softcap|dropout|cast|quant")


def call(reader: Reader, node: ast.Call, names: Names) -> Known:
    """By who is called: the class itself, torch, a value, or something else."""
    match node.func:
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return _own(reader, node, name, names)
        case ast.Attribute(value=base, attr=name) if _is_module(reader, base):
            subject = reader.evaluate(reader, node.args[0], names) if node.args else None
            return _operation(reader, node, name, subject, node.args[1:], names)
        case ast.Attribute(value=base, attr=name):
            subject = reader.evaluate(reader, base, names)
            if isinstance(subject, Layer):
                part = reader.evaluate(reader, node.func, names)
                if isinstance(part, Layer):
                    return _part(reader, node, part, "forward", names)
                return _part(reader, node, subject, name, names)
            if subject is None and name not in _NEW:
                return _elsewhere(reader, node, names)
            return _operation(reader, node, name, subject, node.args, names)
        case ast.Name(id=name) if not isinstance(names.get(name), Layer):
            return _function(reader, node, reader.called(node.func), names)
    part = reader.evaluate(reader, node.func, names)
    if isinstance(part, Layer):
        return _part(reader, node, part, "forward", names)
    return _elsewhere(reader, node, names)


def layer_of(reader: Reader, made: ast.expr | None, depth: int = 2 * _DEEPEST) -> Layer | None:
    """The class of the script that a part, or each of a list of parts, is made by."""
    if not depth:
        return None
    match made:
        case ast.Call(func=func, args=args):
            name = reader.called(func)
            if name in reader.classes:
                return Layer(name)
            return layer_of(reader, args[0], depth - 1) if name in _LISTS and args else None
        case (
            ast.ListComp(elt=inner)
            | ast.GeneratorExp(elt=inner)
            | ast.IfExp(body=inner)
            | ast.List(elts=[inner, *_])
            | ast.Subscript(value=inner)
        ):
            return layer_of(reader, inner, depth - 1)
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return layer_of(reader, reader.parts.get(name), depth - 1)
        case ast.Name(id=name):
            return layer_of(reader, reader.parts.get(f"{name} (local)"), depth - 1)
    return None


def _part(reader: Reader, node: ast.Call, layer: Layer, name: str, names: Names) -> Known:
    """A method of a part: read in place, with what it is given."""
    made = reader.classes[layer.cls]
    method = None
    if len(reader.outer) < _DEEPEST and layer.cls not in reader.outer:
        inner = reader.prepare(made, reader)
        method = inner.methods.get(name)
    if method is None:
        return _elsewhere(reader, node, names)
    given = _bound(reader, node, method, names)
    found = inner.run(inner, method, given)
    reader.looks += inner.looks
    return found


def _bound(reader: Reader, node: ast.Call, method: ast.FunctionDef, names: Names) -> Names:
    """The arguments of a method, by name."""
    spec = [one.arg for one in method.args.posonlyargs + method.args.args if one.arg != "self"]
    given = dict(zip(spec, _values(reader, node.args, names), strict=False))
    given |= {
        one.arg: reader.evaluate(reader, one.value, names)
        for one in node.keywords
        if one.arg is not None
    }
    return given


def _elsewhere(reader: Reader, node: ast.Call, names: Names) -> Known:
    """A layer that another object holds: it keeps places where they are."""
    return _through(_given(reader, node, names))


def _is_module(reader: Reader, node: ast.expr) -> bool:
    """`torch`, `F`, `torch.nn.functional`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and (node.id in reader.paths or node.id in _MODULES)


def _values(reader: Reader, nodes: list[ast.expr], names: Names) -> list[Known]:
    return [reader.evaluate(reader, one, names) for one in nodes]


def _given(reader: Reader, node: ast.Call, names: Names) -> list[Known]:
    return _values(reader, [*node.args, *(one.value for one in node.keywords)], names)


def _own(reader: Reader, node: ast.Call, name: str, names: Names) -> Known:
    """A method of the class is read on; a layer is told by what made it."""
    if (method := reader.methods.get(name)) is not None:
        return reader.run(reader, method, _bound(reader, node, method, names))
    made = reader.parts.get(name)
    if (part := layer_of(reader, made)) is not None:
        return _part(reader, node, part, "forward", names)
    values = _given(reader, node, names)
    layer = reader.called(made.func) if isinstance(made, ast.Call) else ""
    first = values[0] if values else None
    if isinstance(first, Seq) and isinstance(made, ast.Call):
        return _layer(reader, node, layer, made, first, values)
    return _through(values)


def _layer(
    reader: Reader, node: ast.Call, layer: str, made: ast.Call, first: Seq, values: list[Known]
) -> Known:
    match layer:
        case "Embedding" | "EmbeddingBag":
            return _widened(first)
        case "Conv1d":
            return _convolution(reader, node, made, first)
        case "LSTM" | "GRU" | "RNN":
            both = ops.literal(ops.named(made).get("bidirectional")) is True
            look = reader.look(node, f"a {layer} that runs in both directions")
            return Parts((everything(first, look) if both else first, None))
        case _ if layer in _OF_ALL and first.rank is not None and first.axis == first.rank - 1:
            return everything(first, reader.look(node, f"{layer} over all places"))
        case "MultiheadAttention":
            return _multihead(reader, node, first)
    return _through(values)


def _widened(value: Seq) -> Seq:
    """Ids that get a width."""
    return replace(value, rank=None if value.rank is None else value.rank + 1, tokens=False)


def _through(values: list[Known]) -> Known:
    """A layer that is not known: it keeps places where they are; ids may get a width."""
    found = together([value for value in values if isinstance(value, Seq)])
    if isinstance(found, Seq) and found.tokens:
        return replace(found, rank=None, tokens=False)
    return found


def _multihead(reader: Reader, node: ast.Call, first: Seq) -> Known:
    keys = ops.named(node)
    causal = ops.literal(keys.get("is_causal")) is True
    if causal or "attn_mask" in keys or len(node.args) > 5:
        return Parts((first, None))
    if len({ast.unparse(one) for one in node.args[:3]}) != 1:
        return Parts((None, None))
    return Parts((everything(first, reader.look(node, "attention without a mask")), None))


def _convolution(reader: Reader, node: ast.Call, made: ast.Call, first: Seq) -> Known:
    keys = ops.named(made)
    size = _number(
        reader, keys.get("kernel_size") or (made.args[2] if len(made.args) > 2 else None)
    )
    dilation = _number(reader, keys["dilation"]) if "dilation" in keys else 1
    padding: int | None = 0
    given = keys.get("padding") or (made.args[4] if len(made.args) > 4 else None)
    if size is None or dilation is None or size < 2:
        return None
    if given is not None:
        same = ops.literal(given) == "same"
        padding = (size - 1) * dilation // 2 if same else _number(reader, given)
    if padding is None:
        return None
    look = reader.look(node, "a convolution that is padded on both sides")
    return ops.convolved(first, size, padding, dilation, look)


def _number(reader: Reader, node: ast.expr | None) -> int | None:
    """A whole number, out of literals and defaults of the class."""
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.Tuple(elts=[one]):
            return _number(reader, one)
        case ast.Name(id=name):
            default = reader.defaults.get(name)
            return default if isinstance(default, int) else None
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return _number(reader, reader.parts.get(name))
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _number(reader, left), _number(reader, right)
            if a is None or b is None:
                return None
            match op:
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Mult():
                    return a * b
                case ast.FloorDiv() if b:
                    return a // b
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            positive = _number(reader, operand)
            return None if positive is None else -positive
    return None


def _function(reader: Reader, node: ast.Call, name: str, names: Names) -> Known:
    """A function of the script is read in place; what is not understood may act on each place."""
    own = reader.functions.get(name)
    if isinstance(own, ast.FunctionDef):
        found = reader.run(reader, own, _bound(reader, node, own, names))
        if found is not None:
            return found
    values = _given(reader, node, names)
    if (last_but := ops.attention_axis(name)) is not None:
        return _attention(reader, node, last_but, values, names)
    if name in ("rms_norm", "checkpoint") or _KEEPING.search(name.lower()):
        return together([value for value in values if isinstance(value, Seq)])
    if name in ("cross_entropy", "pad", "softmax", "rearrange", "embedding"):
        return _operation(reader, node, name, values[0] if values else None, node.args[1:], names)
    if name in reader.paths.values() or any(p.endswith(f".{name}") for p in reader.paths.values()):
        return _operation(reader, node, name, values[0] if values else None, node.args[1:], names)
    direct = [one.id for one in node.args if isinstance(one, ast.Name)]
    return _through(values) if reader.pinned.intersection(direct) else None


def _operation(
    reader: Reader,
    node: ast.Call,
    name: str,
    subject: Known,
    rest: list[ast.expr],
    names: Names,
) -> Known:
    """An operation on `subject`, written as a function or as a method."""
    if name in ("cross_entropy", "nll_loss"):
        _note_loss(reader, node, subject, _values(reader, rest[:1], names))
        whole = not {"weight", "label_smoothing"} & set(ops.named(node))
        return Loss() if whole and name == "cross_entropy" else None
    if isinstance(subject, Waves):
        return _of_waves(reader, node, name, subject)
    if isinstance(subject, Loss):
        return _of_loss(reader, node, name, subject)
    if (last_but := ops.attention_axis(name)) is not None:
        return _attention(reader, node, last_but, _given(reader, node, names), names)
    if name in ("cat", "concat", "hstack", "concatenate"):
        return _join(reader, node, subject, rest)
    if name in _NEW and not isinstance(subject, Mask | Scores):
        return _fresh(reader, node, name, names)
    if name in ("tril", "triu") and not isinstance(subject, Mask | Scores):
        return _triangle(reader, node, name, rest)
    match subject:
        case Mask() | Scores():
            return _of_pairs(reader, node, name, subject, rest, names)
        case Seq():
            return _of_sequence(reader, node, name, subject, rest, names)
    values = _values(reader, rest, names)
    if name in ("where", "masked_fill"):
        masks = [value for value in (subject, *values) if isinstance(value, Mask)]
        if masks and name == "masked_fill":  # zeros, with minus infinity where the mask is true
            return masks[0]
    return (
        together([value for value in values if isinstance(value, Seq)]) if name in _KEEPS else None
    )


def _of_waves(reader: Reader, node: ast.Call, name: str, waves: Waves) -> Known:
    """Back in time, what a free response made of a spectrum has parts before its cause."""
    if name not in ("irfft", "ifft"):
        return waves
    look = reader.look(node, "a filter whose response is free in the frequency domain")
    return everything(waves.of, look) if waves.free else waves.of


def _of_loss(reader: Reader, node: ast.Call, name: str, loss: Loss) -> Known:
    """Sums, views and casts keep its share; a bound, or another function, does not."""
    if name in (_POOLS | _KEEPS | {"view", "reshape", "squeeze"}) - _BENDS - _BOUNDS:
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
    axis = _axis(reader, node, rest, default=0)
    look = reader.look(node, "places are joined so that each holds a later one")
    return ops.joined(pieces.items, axis, look) if isinstance(pieces, Parts) else None


def _axis(
    reader: Reader, node: ast.Call, rest: list[ast.expr], default: int | None = None
) -> int | None:
    """The axis that a call names."""
    keys = ops.named(node)
    given = keys.get("dim") or keys.get("axis") or (rest[0] if rest else None)
    return default if given is None else _number(reader, given)


def _fresh(reader: Reader, node: ast.Call, name: str, names: Names) -> Known:
    """Zeros of a written size: the second axis is time."""
    sizes = _sizes(node.args)
    if len(sizes) < 2:
        return None
    (length,) = _values(reader, [sizes[1]], names)
    return Seq(1, len(sizes), NEVER, length.value) if isinstance(length, Size) else None


def _sizes(nodes: list[ast.expr]) -> list[ast.expr]:
    first = nodes[0] if nodes else None
    return list(first.elts) if isinstance(first, ast.Tuple | ast.List) else list(nodes)


def _triangle(reader: Reader, node: ast.Call, name: str, rest: list[ast.expr]) -> Known:
    keys = ops.named(node)
    given = keys.get("diagonal") or (rest[0] if rest else None)
    diagonal = 0 if given is None else _number(reader, given)
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
    values = _values(reader, rest, names)
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
        case "softmax", Scores() if _axis(reader, node, rest) == -2:
            how = "a softmax over the places that ask, not over those that are asked"
            return replace(subject, look=reader.look(node, how))
        case (("tril" | "triu"), Scores()):
            return replace(subject, masked=True)
    return subject


def _of_sequence(
    reader: Reader,
    node: ast.Call,
    name: str,
    value: Seq,
    rest: list[ast.expr],
    names: Names,
) -> Known:
    values = _values(reader, rest, names)
    numbers = [_number(reader, one) for one in rest]
    look = reader.look(node, f"`{ast.unparse(node)[:60]}` looks ahead")
    match name:
        case "transpose" | "swapaxes":
            return ops.swapped(value, *numbers[:2]) if len(numbers) > 1 else None
        case "permute":
            return ops.moved_axes(value, [_number(reader, one) for one in _sizes(rest)])
        case "view" | "reshape":
            return _reshaped(reader, value, rest, names)
        case "flatten":
            return replace(value, axis=None, flat=True, rank=None)
        case "unsqueeze":
            return _unsqueezed(value, numbers[0] if numbers else None)
        case "roll":
            axis = _axis_of(reader, node, rest, "dims", 1)
            by = numbers[0] if numbers else _number(reader, ops.named(node).get("shifts"))
            return None if by is None else ops.rolled(value, by, axis, look)
        case "flip":
            axis = _axis_of(reader, node, rest, "dims", 0)
            return everything(value, look) if ops.along(value, axis) else value
        case "pad":
            pads = [_number(reader, one) for one in _sizes(rest)]
            return ops.padded(value, pads, look)
        case "embedding" | "one_hot":
            return replace(value, rank=None if value.rank is None else value.rank + 1, tokens=False)
        case "chunk" | "split" | "unbind" | "tensor_split":
            place = 0 if name == "unbind" else 1
            return ops.listed(value, _axis_of(reader, node, rest, "dim", place))
        case "matmul" | "bmm":
            return ops.product(value, values[0] if values else None, look)
        case "size" if numbers and ops.along(value, numbers[0]):
            return Size(value.length)
        case "layer_norm" if _spans_time(reader, rest, value, names):
            return everything(value, look)
        case "rfft" | "fft" if ops.along(value, _axis_of(reader, node, rest, "dim", 1)):
            return Waves(value)
    return _reduced(reader, node, name, value, rest, values)


def _spans_time(reader: Reader, rest: list[ast.expr], value: Seq, names: Names) -> bool:
    """`layer_norm(x, x.shape[1:])`: over the places as well as over the width."""
    match rest[:1]:
        case [ast.Subscript(value=ast.Attribute(attr="shape"), slice=ast.Slice() as cut)]:
            first = _number(reader, cut.lower)
            return first is not None and value.axis is not None and 0 < first <= value.axis
        case [ast.Tuple(elts=sizes) | ast.List(elts=sizes)]:
            found = _values(reader, list(sizes), names)
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
    if name in _POOLS:
        axis = _axis(reader, node, rest)
        keeps = ops.literal(ops.named(node).get("keepdim")) is True
        if axis is None and not value.tokens:  # one number of all, as a quantiser's scale may be
            return Seq(None, None, END, look=replace(look, sure=False), pooled=True)
        return ops.pooled(value, axis, look, keeps=keeps) if axis is not None else None
    if name in _SPREADS:
        axis = _axis(reader, node, rest, default=1 if name == "normalize" else None)
        return everything(value, look) if ops.along(value, axis) else value
    if name in _LIKE:
        return nowhere(value)
    if name in _KEEPS:
        return together([value, *(one for one in values if isinstance(one, Seq))])
    return None


def _axis_of(
    reader: Reader, node: ast.Call, rest: list[ast.expr], key: str, place: int
) -> int | None:
    keys = ops.named(node)
    given = keys.get(key) or keys.get("dim") or (rest[place] if len(rest) > place else None)
    if isinstance(given, ast.List):
        given = given.elts[0] if len(given.elts) == 1 else None
    return _number(reader, given)


def _reshaped(reader: Reader, value: Seq, rest: list[ast.expr], names: Names) -> Known:
    sizes: list[Known | str] = []
    for one in _sizes(rest):
        whole = isinstance(one, ast.Attribute) and one.attr == "shape"
        if isinstance(one, ast.Starred) or whole:
            like = _shape(reader, one.value if isinstance(one, ast.Starred) else one, names)
            if like is None:
                return None
            sizes += like
            continue
        known = "-1" if ops.literal(one) == -1 else _values(reader, [one], names)[0]
        sizes.append(known)
    return ops.reshaped(value, sizes)


def _shape(reader: Reader, node: ast.expr, names: Names) -> list[Known | str] | None:
    """The sizes of `x.shape`, `x.shape[:2]`, where the number of axes is known."""
    end: object = None
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        if node.slice.lower is not None or node.slice.step is not None:
            return None
        end, node = ops.literal(node.slice.upper), node.value
    if not isinstance(node, ast.Attribute) or node.attr != "shape":
        return None
    value = reader.evaluate(reader, node.value, names)
    if not isinstance(value, Seq) or value.rank is None or value.axis is None:
        return None
    sizes: list[Known | str] = [None] * value.rank
    sizes[value.axis] = Size(value.length)
    return sizes[:end] if isinstance(end, int) else sizes


def _unsqueezed(value: Seq, axis: int | None) -> Known:
    if value.pooled:
        return value
    if axis is None or value.axis is None or value.rank is None:
        return None
    axis = axis + value.rank + 1 if axis < 0 else axis
    return replace(value, axis=value.axis + (axis <= value.axis), rank=value.rank + 1)


def _attention(
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
        (found,) = _values(reader, [mask], names)
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


def size_of(reader: Reader, node: ast.Subscript, names: Names) -> Size | None:
    """`x.shape[1]`, where it is the number of places."""
    match node.value:
        case ast.Attribute(value=base, attr="shape"):
            value, place = reader.evaluate(reader, base, names), ops.literal(node.slice)
            if isinstance(value, Seq) and isinstance(place, int) and ops.along(value, place):
                return Size(value.length)
    return None
