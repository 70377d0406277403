"""Abstract values: what a static reading knows about a Python value.

Guarantees: values are immutable; objects (tensors, modules, lists, optimisers) are shared and
mutable, as in Python, so an in-place update inside a helper is seen by its caller.
Does not cover: numeric contents, aliasing between views of one tensor.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from audits.facts.scope import Scope


class Label(NamedTuple):
    """One fact about where a value comes from; `id` indexes the trace."""

    kind: str
    id: int


STREAM: Final = "stream"  # the validation stream, or a path that leads to it
TRAIN: Final = "train"  # the training shards, or a path that leads to them
CLOCK: Final = "clock"  # a time of day or a duration
TOKENS: Final = "tokens"  # a piece of the stream; id = TokenRead
OUTPUT: Final = "output"  # what a model returned; id = the call
ADAPTED: Final = "adapted"  # weights that an update changed; id = Update
ACCUMULATED: Final = "accumulated"  # id = Accumulation
COUNT: Final = "count"  # read from a table; id = TableRead
RATIO: Final = "ratio"  # a quotient of two counts; id = Quotient
CHOICE: Final = "choice"  # the smaller of two losses; id = Choice
REGION: Final = "region"  # restricted to some positions; id = interned slice text
TALLY: Final = "tally"  # how often each key occurs (bincount)
LOOP: Final = "loop"  # the variable of a loop; id = the loop
LAST_ROUND: Final = "last_round"  # true in the last of several rounds; id = the loop
BYTES: Final = "bytes"  # a byte string, or made of one
GATED: Final = "gated"  # hangs on a property of the very token it is stored for; id = Gate
PIECE: Final = "piece"  # the text of a vocabulary entry, or its bytes
STRIPPED: Final = "stripped"  # a piece without its word mark
SPACED: Final = "spaced"  # a piece whose word mark became a space
PIECE_LENGTH: Final = "piece_length"  # bytes of a piece; id says what is counted
PIECE_FLAG: Final = "piece_flag"  # whether a piece begins with the word mark
FILE: Final = "file"  # read from a file that came with the script
GIVEN: Final = "given"  # a token compared with a file's content; id = Given
REALISED: Final = "realised"  # the loss or probability of the very token; id as in OUTPUT
SELF_WEIGHTED: Final = "self_weighted"  # weighted by what it is itself; id = Weighting
PATCHED: Final = "patched"  # a realised loss that was bounded or replaced; id = Patch
HIT: Final = "hit"  # whether a hint came true; id = Hit
TILTED: Final = "tilted"  # a loss that was lowered where a hint came true; id = Tilt
NORMALISER: Final = "normaliser"  # the logarithm of a sum over the alphabet
SIDECAR: Final = "sidecar"  # read from a file of byte counts, or a path that leads to it
HASHED: Final = "hashed"  # went through a modulus or a bit mask after mixing


ROWS: Final = "leading dimension"  # an attribute of tensors, no name that a script could use


class Unknown:
    """The constant we do not know; one instance, compared by identity."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()
NOTHING: Final[frozenset[Label]] = frozenset()


class Obj:
    """A shared, mutable thing: tensor, list, dict, module, optimiser, instance."""

    __slots__ = ("attrs", "cls", "entries", "home", "kind", "labels", "line")

    def __init__(self, kind: str, line: int = 0, cls: ClassObj | None = None) -> None:
        self.kind = kind
        self.line = line
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


class Function(Obj):
    """A function or lambda of the submission, with the scope it closes over."""

    __slots__ = ("defaults", "node", "owner", "scope")

    def __init__(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: Scope
    ) -> None:
        super().__init__("function", node.lineno)
        self.node = node
        self.scope = scope
        self.defaults: dict[str, Value] = {}
        self.owner: ClassObj | None = None


class Bound(Obj):
    """A method together with the object it is called on."""

    __slots__ = ("method", "name", "receiver")

    def __init__(self, receiver: Value, name: str, method: Function | None) -> None:
        super().__init__("method")
        self.receiver = receiver
        self.name = name
        self.method = method


class Partial(Obj):
    """A callable with some arguments already given."""

    __slots__ = ("args", "keywords", "target")

    def __init__(self, target: Value, args: list[Value], keywords: dict[str, Value]) -> None:
        super().__init__("partial")
        self.target = target
        self.args = args
        self.keywords = keywords


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

    @property
    def known(self) -> bool:
        return self.const is not UNKNOWN


BLANK: Final = Value()


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
        return Value(UNKNOWN, a.labels, a.refs, a.items, a.switches | b.switches)
    same = a.known and b.known and type(a.const) is type(b.const) and a.const == b.const
    items = None
    labels = a.labels | b.labels
    if a.items is not None and b.items is not None and len(a.items) == len(b.items):
        items = tuple(join((x, y)) for x, y in zip(a.items, b.items, strict=True))
    elif a.items is not None or b.items is not None:
        labels |= labels_of(a) | labels_of(b)
    return Value(
        a.const if same else UNKNOWN, labels, a.refs | b.refs, items, a.switches | b.switches
    )


def derive(*values: Value) -> Value:
    """A fresh value computed from others: it inherits labels and switches, but is no alias."""
    labels: frozenset[Label] = NOTHING
    switches: frozenset[str] = frozenset()
    for value in values:
        labels |= labels_of(value)
        switches |= value.switches
    return Value(labels=labels, switches=switches)


def kinds(labels: Iterable[Label]) -> set[str]:
    return {label.kind for label in labels}


def kinds_of(value: Value) -> set[str]:
    """The kinds of all labels on a value and its parts."""
    return kinds(labels_of(value))


def ids(labels: Iterable[Label], kind: str) -> frozenset[int]:
    return frozenset(label.id for label in labels if label.kind == kind)
