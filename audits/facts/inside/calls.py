"""Calls inside a forward pass: layers of the class, parts of it, functions of the script.

Guarantees: what is not named here keeps places where they are, if it is a layer, and is not
understood otherwise; a part that a class of the script makes is read in place.
Does not cover: functions that are reached through other files' names, but for those whose names say
that they act on each place alone.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import Final

from audits.facts.inside import operations as ops
from audits.facts.inside.arguments import (
    all_given,
    evaluated,
    through,
    whole_number,
    widened,
)
from audits.facts.inside.reader import Names, Reader
from audits.facts.inside.sequences import (
    Known,
    Layer,
    Parts,
    Seq,
    Size,
    everything,
    together,
)
from audits.facts.inside.tensors import NEW, attention, operation

_MODULES: Final = frozenset({"torch", "F", "nn", "functional", "np", "math", "einops"})
_LISTS: Final = frozenset({"ModuleList", "Sequential", "compile", "checkpoint_wrapper"})
_DEEPEST: Final = 6  # parts of parts
_OF_ALL: Final = frozenset({"InstanceNorm1d", "GroupNorm"})
_KEEPING: Final = re.compile(r"rot|rope|norm|act|relu|gelu|silu|swish|softcap|dropout|cast|quant")


def call(reader: Reader, node: ast.Call, names: Names) -> Known:
    """By who is called: the class itself, torch, a value, or something else."""
    match node.func:
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return _own(reader, node, name, names)
        case ast.Attribute(value=base, attr=name) if _is_module(reader, base):
            subject = reader.evaluate(reader, node.args[0], names) if node.args else None
            return operation(reader, node, name, subject, node.args[1:], names)
        case ast.Attribute(value=base, attr=name):
            subject = reader.evaluate(reader, base, names)
            if isinstance(subject, Layer):
                part = reader.evaluate(reader, node.func, names)
                if isinstance(part, Layer):
                    return _part(reader, node, part, "forward", names)
                return _part(reader, node, subject, name, names)
            if isinstance(subject, Parts) and name == "pop":
                return subject.each
            if subject is None and name not in NEW:
                return _elsewhere(reader, node, names)
            return operation(reader, node, name, subject, node.args, names)
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
    given = dict(zip(spec, evaluated(reader, node.args, names), strict=False))
    given |= {
        one.arg: reader.evaluate(reader, one.value, names)
        for one in node.keywords
        if one.arg is not None
    }
    return given


def _elsewhere(reader: Reader, node: ast.Call, names: Names) -> Known:
    """A layer that another object holds: it keeps places where they are."""
    return through(all_given(reader, node, names))


def _is_module(reader: Reader, node: ast.expr) -> bool:
    """`torch`, `F`, `torch.nn.functional`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and (node.id in reader.paths or node.id in _MODULES)


def _own(reader: Reader, node: ast.Call, name: str, names: Names) -> Known:
    """A method of the class is read on; a layer is told by what made it."""
    if (method := reader.methods.get(name)) is not None:
        return reader.run(reader, method, _bound(reader, node, method, names))
    made = reader.parts.get(name)
    if (part := layer_of(reader, made)) is not None:
        return _part(reader, node, part, "forward", names)
    values = all_given(reader, node, names)
    layer = reader.called(made.func) if isinstance(made, ast.Call) else ""
    first = values[0] if values else None
    if isinstance(first, Seq) and isinstance(made, ast.Call):
        return _layer(reader, node, layer, made, first, values)
    return through(values)


def _layer(
    reader: Reader, node: ast.Call, layer: str, made: ast.Call, first: Seq, values: list[Known]
) -> Known:
    match layer:
        case "Embedding" | "EmbeddingBag":
            return widened(first)
        case "Conv1d":
            return _convolution(reader, node, made, first)
        case "LSTM" | "GRU" | "RNN":
            both = ops.literal(ops.named(made).get("bidirectional")) is True
            look = reader.look(node, f"a {layer} that runs in both directions")
            if first.turn is not None:
                first = replace(first, behind=reader.look(node, f"a {layer} on reversed time"))
            return Parts((everything(first, look) if both else first, None))
        case _ if layer in _OF_ALL and first.rank is not None and first.axis == first.rank - 1:
            return everything(first, reader.look(node, f"{layer} over all places"))
        case "MultiheadAttention":
            return _multihead(reader, node, first)
    return through(values)


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
    size = whole_number(
        reader, keys.get("kernel_size") or (made.args[2] if len(made.args) > 2 else None)
    )
    dilation = whole_number(reader, keys["dilation"]) if "dilation" in keys else 1
    padding: int | None = 0
    given = keys.get("padding") or (made.args[4] if len(made.args) > 4 else None)
    if size is None or dilation is None or size < 2:
        return None
    if given is not None:
        same = ops.literal(given) == "same"
        padding = (size - 1) * dilation // 2 if same else whole_number(reader, given)
    if padding is None:
        return None
    look = reader.look(node, "a convolution that is padded on both sides")
    return ops.convolved(first, size, padding, dilation, look)


def _function(reader: Reader, node: ast.Call, name: str, names: Names) -> Known:
    """A function of the script is read in place; what is not understood may act on each place."""
    own = reader.functions.get(name)
    if isinstance(own, ast.FunctionDef):
        found = reader.run(reader, own, _bound(reader, node, own, names))
        if found is not None:
            return found
    values = all_given(reader, node, names)
    if (last_but := ops.attention_axis(name)) is not None:
        return attention(reader, node, last_but, values, names)
    if name in ("rms_norm", "checkpoint") or _KEEPING.search(name.lower()):
        return together([value for value in values if isinstance(value, Seq)])
    if name in ("cross_entropy", "pad", "softmax", "rearrange", "embedding"):
        return operation(reader, node, name, values[0] if values else None, node.args[1:], names)
    if name in reader.paths.values() or any(p.endswith(f".{name}") for p in reader.paths.values()):
        return operation(reader, node, name, values[0] if values else None, node.args[1:], names)
    direct = [one.id for one in node.args if isinstance(one, ast.Name)]
    return through(values) if reader.pinned.intersection(direct) else None


def size_of(reader: Reader, node: ast.Subscript, names: Names) -> Size | None:
    """`x.shape[1]`, where it is the number of places."""
    match node.value:
        case ast.Attribute(value=base, attr="shape"):
            value, place = reader.evaluate(reader, base, names), ops.literal(node.slice)
            if isinstance(value, Seq) and isinstance(place, int) and ops.along(value, place):
                return Size(value.length)
    return None
