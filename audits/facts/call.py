"""A call as it is made: evaluated arguments, and where in the submission it stands.

Guarantees: immutable; another call made of it (a bound method, a partial) is a copy.
Does not cover: who is called; that is for `interpreter`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from audits.facts.scope import Scope
from audits.facts.values import Value, derive

_VIEWS: Final = frozenset({"reshape", "view", "flatten", "to", "long", "contiguous", "cuda"})


@dataclass(frozen=True, slots=True)
class Call:
    """One call."""

    args: list[Value]
    keywords: Mapping[str, Value]
    node: ast.Call
    scope: Scope  # the names that are visible there
    values: list[Value] = field(init=False)  # everything that is given, whatever its name

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", [*self.args, *self.keywords.values()])

    def written(self, function: str, place: int = 0) -> str:
        """The name that an argument is, or is a view of, in the function that calls."""
        node = self.node.args[place] if len(self.node.args) > place else None
        while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node = node.func.value if node.func.attr in _VIEWS else None
        return f"{function}:{node.id}" if isinstance(node, ast.Name) else ""

    def result(self) -> Value:
        """What comes back where the call cannot be followed: something made of its arguments."""
        return derive(*self.values)

    def given(self, args: list[Value], keywords: Mapping[str, Value] | None = None) -> Call:
        """The same place, called with these arguments alone."""
        return replace(self, args=args, keywords=keywords or {})

    def after(self, *before: Value) -> Call:
        """The same call, with further arguments in front: a method's receiver, for one."""
        return replace(self, args=[*before, *self.args])
