"""Name scopes, with Python's lookup order: local, enclosing functions, module, builtins.

Guarantees: a branch can be tried on a copy and joined back.
Does not cover: `del`; a deleted name keeps its last value.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from audits.facts.values import Value, join


class Scope:
    """Names of one function activation, class body or module."""

    __slots__ = ("definitions", "file", "globals", "names", "outer", "rebinds")

    def __init__(self, outer: Scope | None, file: str = "") -> None:
        self.outer = outer
        self.file: str = outer.file if outer else file
        self.names: dict[str, Value] = {}
        self.definitions: dict[str, ast.expr] = {}  # what a name was last assigned, as written
        self.globals: Scope = outer.globals if outer else self
        self.rebinds: dict[str, Scope] = {}  # names declared global or nonlocal

    def lookup(self, name: str) -> Value | None:
        scope: Scope | None = self.rebinds.get(name, self)
        while scope is not None:
            if (found := scope.names.get(name)) is not None:
                return found
            scope = scope.outer
        return None

    def bind(self, name: str, value: Value) -> None:
        self.rebinds.get(name, self).names[name] = value

    def owner_of(self, name: str) -> Scope:
        """The scope in which the name is visible; where `nonlocal` would write."""
        scope: Scope | None = self.outer
        while scope is not None and name not in scope.names:
            scope = scope.outer
        return scope or self.globals


def merge(states: Iterable[dict[str, Value]]) -> dict[str, Value]:
    """Names after several paths meet: a name bound on one path only keeps that value."""
    alive = list(states)
    if len(alive) == 1:
        return alive[0]
    merged: dict[str, Value] = {}
    for state in alive:
        for name, value in state.items():
            other = merged.get(name)
            merged[name] = value if other is None or other is value else join((other, value))
    return merged
