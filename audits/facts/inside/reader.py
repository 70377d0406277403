"""The state of reading one class of a model.

Guarantees: what is found belongs to this class; a part of it is kept as it is written.
Does not cover: how code is read; `forward` gives that.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from audits.facts.inside.sequences import Known, Look

Names = dict[str, Known]
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


LOSSES: Final = frozenset({"cross_entropy", "nll_loss"})
MOST_WORK: Final = 40_000  # expressions of one class with its parts; the largest real one: 5,300


class TooMuch(Exception):
    """The reading of a class was cut short."""


@dataclass(frozen=True, slots=True)
class Around:
    """What a class finds in its file, by name, whatever the names are."""

    classes: frozenset[ast.ClassDef] = frozenset()
    functions: frozenset[FunctionNode] = frozenset()
    paths: frozenset[tuple[str, str]] = frozenset()  # names of libraries, and of what is in them


@dataclass(slots=True)
class Reader:
    """One class, and what was found in it."""

    node: ast.ClassDef | FunctionNode | ast.Module
    evaluate: Callable[[Reader, ast.expr, Names], Known]
    run: Callable[[Reader, ast.FunctionDef, Names], Known]  # a method, in place
    prepare: Callable[[ast.ClassDef, Reader], Reader]  # another class, as a part of this one
    methods: dict[str, ast.FunctionDef] = field(default_factory=dict)
    parts: dict[str, ast.expr] = field(default_factory=dict)  # what `self.name` is, as written
    defaults: dict[str, object] = field(default_factory=dict)  # of the arguments of __init__
    looks: list[Look] = field(default_factory=list)
    shares: list[tuple[Look, float]] = field(default_factory=list)  # of losses that are given back
    guards: list[str] = field(default_factory=list)  # attributes tested around what is read
    active: list[str] = field(default_factory=list)  # methods that are being read
    classes: Mapping[str, ast.ClassDef] = field(default_factory=dict)  # that it may have parts of
    functions: Mapping[str, FunctionNode] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    work: list[int] = field(default_factory=lambda: [0])  # shared with the readings of its parts
    outer: tuple[str, ...] = ()  # the classes whose parts are being read
    pinned: frozenset[str] = frozenset()  # names that stay, until they become what is understood

    def surround(self, around: Around) -> None:
        self.classes = {one.name: one for one in sorted(around.classes, key=_line)}
        self.functions = {one.name: one for one in sorted(around.functions, key=_line)}
        self.paths = dict(around.paths)

    def called(self, node: ast.expr) -> str:
        """The last name of what is called, as its library spells it."""
        if isinstance(node, ast.Name):
            return self.paths.get(node.id, node.id).rsplit(".", 1)[-1]
        return node.attr if isinstance(node, ast.Attribute) else ""

    def tick(self) -> None:
        self.work[0] += 1
        if self.work[0] > MOST_WORK:
            raise TooMuch

    def look(self, node: ast.AST, how: str) -> Look:
        name = getattr(self.node, "name", "")
        return Look(getattr(node, "lineno", 0), how, tuple(self.guards), name)


def _line(node: ast.ClassDef | FunctionNode) -> int:
    return node.lineno


def root(node: ast.expr) -> str:
    """The name that an expression begins with: `y` of `y.reshape(-1)[1:]`."""
    while True:
        match node:
            case ast.Name(id=name):
                return name
            case ast.Attribute(value=inner) | ast.Subscript(value=inner):
                node = inner
            case ast.Call(func=ast.Attribute(value=inner)):
                node = inner
            case _:
                return ""


def shape_of(node: ast.expr) -> str:
    match node:
        case ast.Attribute(value=ast.Name(id=name), attr="shape"):
            return name
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="size"), args=[]):
            return name
    return ""
