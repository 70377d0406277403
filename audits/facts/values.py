"""Abstract values: what a static reading knows about a Python value.

Guarantees: values are immutable; objects (tensors, modules, lists, optimisers) are shared and
mutable, as in Python, so an in-place update inside a helper is seen by its caller.
Does not cover: numeric contents, aliasing between views of one tensor.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final

from audits.facts.labels import NOTHING, Label, kinds
from audits.facts.worth import Known, Start, joined

# Attributes of tensors, under names that no script could use.
ROWS: Final = "leading dimension"
SUMMED: Final = "what was added up"


class Unknown:
    """The constant we do not know; one instance, compared by identity."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


_SERIALS: Final = count()  # tells objects apart that were made at one line, in order


class Obj:
    """A shared, mutable thing: tensor, list, dict, module, optimiser, instance."""

    __slots__ = ("attrs", "cls", "entries", "home", "kind", "labels", "line", "serial")

    def __init__(self, kind: str, line: int = 0, cls: ClassObj | None = None) -> None:
        self.kind = kind
        self.line = line
        self.serial = next(_SERIALS)
        self.cls = cls
        self.labels: set[Label] = set()
        self.attrs: dict[str, Value] = {}
        self.entries: dict[object, Value] = {}  # elements, by constant key or by kind of key
        self.home: tuple[int, ...] = ()  # the loops it was created in


class Library(Obj):
    """A name from outside the submission, such as `torch.optim.AdamW`."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        super().__init__("library")
        self.path = path


class ClassObj(Obj):
    """A class of the submission. `role` is module, optimizer or plain, by its bases."""

    __slots__ = ("bases", "fields", "name", "role")

    def __init__(self, name: str, bases: list[ClassObj], role: str, line: int) -> None:
        super().__init__("class", line)
        self.name = name
        self.fields: list[str] = []  # annotated names, in order: what a dataclass is given
        self.bases = bases
        self.role = role

    def find(self, name: str) -> Value | None:
        """The attribute, looked up along the bases."""
        if name in self.attrs:
            return self.attrs[name]
        for base in self.bases:
            if (found := base.find(name)) is not None:
                return found
        return None


@dataclass(frozen=True, slots=True)
class Value:
    """What is known of one value at one point of the program."""

    const: object = UNKNOWN  # the constant it is, where configuration or literals decide it
    labels: frozenset[Label] = NOTHING
    refs: frozenset[Obj] = field(default=frozenset())  # the objects it may be
    items: tuple[Value, ...] | None = None  # a tuple of known length
    switches: frozenset[str] = field(default=frozenset())  # environment names that decide it
    worth: Known | None = None  # what it is of a score, where every step is understood

    @property
    def known(self) -> bool:
        return self.const is not UNKNOWN


BLANK: Final = Value()


def in_order(refs: Iterable[Obj]) -> list[Obj]:
    """Objects in an order that hangs on the code alone, not on where they lie in memory."""
    return sorted(refs, key=lambda ref: (ref.line, ref.kind, ref.serial))


def labels_of(value: Value) -> frozenset[Label]:
    """Labels of the value and, one level deep, of what it refers to or holds."""
    if not value.refs and value.items is None:
        return value.labels
    found = set(value.labels)
    for ref in value.refs:
        found |= ref.labels
        if ref.kind in ("list", "dict"):
            for entry in ref.entries.values():
                found |= labels_of(entry) if entry.refs.isdisjoint(value.refs) else entry.labels
    for item in value.items or ():
        found |= labels_of(item)
    return frozenset(found)


def join(values: Iterable[Value]) -> Value:
    """The least that is true of all the values."""
    merged: Value | None = None
    for value in values:
        merged = value if merged is None or merged is value else _join_two(merged, value)
    return BLANK if merged is None else merged


def _join_two(a: Value, b: Value) -> Value:
    if a.const is None and not a.labels and not a.refs:
        a, b = b, a
    if b.const is None and not b.labels and not b.refs:  # "maybe None" is still the other value
        return Value(UNKNOWN, a.labels, a.refs, a.items, a.switches | b.switches, a.worth)
    same = a.known and b.known and type(a.const) is type(b.const) and a.const == b.const
    items = None
    labels = a.labels | b.labels
    if a.items is not None and b.items is not None and len(a.items) == len(b.items):
        items = tuple(join((x, y)) for x, y in zip(a.items, b.items, strict=True))
    elif a.items is not None or b.items is not None:
        labels |= labels_of(a) | labels_of(b)
    const, switches = a.const if same else UNKNOWN, a.switches | b.switches
    return Value(const, labels, a.refs | b.refs, items, switches, joined(a.worth, b.worth))


def derive(*values: Value) -> Value:
    """A fresh value computed from others: it inherits labels and switches, but is no alias."""
    labels: frozenset[Label] = NOTHING
    switches: frozenset[str] = frozenset()
    for value in values:
        labels |= labels_of(value)
        switches |= value.switches
    return Value(labels=labels, switches=switches)


def marked(value: Value, marks: frozenset[Label]) -> Value:
    """The value with further labels, also on the parts of a tuple."""
    items = None if value.items is None else tuple(marked(one, marks) for one in value.items)
    return Value(value.const, value.labels | marks, value.refs, items, value.switches)


def kinds_of(value: Value) -> set[str]:
    """The kinds of all labels on a value and its parts."""
    return kinds(labels_of(value))


def element_of(value: Value) -> Value:
    """What iterating over the value gives."""
    if value.items is not None:
        return join(value.items)
    holders = [ref for ref in value.refs if ref.kind in ("list", "dict")]
    if holders:
        inside = [entry for ref in holders for entry in ref.entries.values()]
        loose = {label for ref in holders for label in ref.labels} | value.labels
        if not loose:
            return join(inside)
        made = join([*inside, Value(labels=frozenset(loose))])
        return replace(made, worth=join(inside).worth) if inside else made
    if value.known:
        return Value(switches=value.switches)
    return Value(
        labels=labels_of(value), refs=value.refs, switches=value.switches, worth=value.worth
    )


def truth(value: Value) -> bool | None:
    """Whether the value is true, where that is known."""
    if value.known:
        return bool(value.const)
    return True if value.items else None


def forget_constant(value: Value) -> Value:
    zero = isinstance(value.const, int | float) and value.const == 0
    worth = Start.ZERO if zero else value.worth
    return Value(labels=value.labels, refs=value.refs, switches=value.switches, worth=worth)
