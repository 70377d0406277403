"""Attributes: what `base.name` is of a library, a class, an instance, a model, or a tensor.

Guarantees: a method comes back bound to its object; an unknown part of a model, or a view of a
tensor, stands for the whole.
Does not cover: properties and `__getattr__`.
"""

from __future__ import annotations

from typing import Final

from audits.facts.objects import Bound, Function
from audits.facts.values import BLANK, ClassObj, Library, Obj, Value, in_order, join, labels_of

_VIEWS: Final = frozenset({"values", "data", "real", "T"})
_MEASURES: Final = frozenset({"shape", "ndim", "dtype", "device", "nbytes", "itemsize", "is_cuda"})


def attribute(base: Value, name: str) -> Value:
    if name in _MEASURES:
        return BLANK
    found = [
        value for ref in in_order(base.refs) if (value := _attribute_of(ref, name)) is not None
    ]
    if found:
        return join(found)
    parts = frozenset(ref for ref in base.refs if ref.kind in ("module", "tensor", "optimizer"))
    worth = base.worth if name in _VIEWS else None
    return Value(labels=labels_of(base), refs=parts, switches=base.switches, worth=worth)


def _attribute_of(ref: Obj, name: str) -> Value | None:
    if isinstance(ref, Library):
        return Value(refs=frozenset({Library(f"{ref.path}.{name}")}))
    if name in ref.attrs:
        return ref.attrs[name]
    if ref.kind == "native":
        return Value(refs=frozenset({Bound(Value(refs=frozenset({ref})), name, None)}))
    if ref.kind == "flags":
        return Value(switches=frozenset({f"--{name}"}))
    if isinstance(ref, ClassObj):
        return ref.find(name)
    return None if ref.cls is None else _of_instance(ref, ref.cls, name)


def _of_instance(ref: Obj, cls: ClassObj, name: str) -> Value | None:
    if (found := cls.find(name)) is None:
        return None
    methods = [one for one in found.refs if isinstance(one, Function)]
    if not methods:
        return found
    bound = frozenset(Bound(Value(refs=frozenset({ref})), name, method) for method in methods)
    return Value(refs=bound)
