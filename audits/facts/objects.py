"""Callable objects of a submission: functions with their scope, bound methods, partial calls.

Guarantees: shared and mutable, as every object of a reading; a function keeps the scope it closes
over.
Does not cover: following them; that is for `interpreter`.
"""

from __future__ import annotations

import ast

from audits.facts.scope import Scope
from audits.facts.values import ClassObj, Obj, Value


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
