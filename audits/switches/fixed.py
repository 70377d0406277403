"""What a script fixes itself: constants of its modules, classes and instances, and paths.

Guarantees: only what no switch decides is a constant; paths are given as configured.
Does not cover: locals of functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from audits.facts.state import Interpreter
from audits.facts.values import ClassObj, Obj, Value

Literal = str | int | float | bool | tuple[object, ...] | None

_PATH = re.compile(r"/|\.(?:bin|model|json|vocab|npy|npz|pt|ptz)$")


def scopes_of(interp: Interpreter) -> Iterator[tuple[str, Mapping[str, Value]]]:
    """Names of modules and of plain classes, and of instances that are held by a name."""
    seen: set[Obj] = set()
    for scope in interp.loaded.values():
        yield "", scope.names
        for name, value in scope.names.items():
            for ref in value.refs - seen:
                seen.add(ref)
                if isinstance(ref, ClassObj) and ref.role == "plain":
                    yield f"{ref.name}.", ref.attrs
                elif ref.kind == "instance":
                    yield f"{name}.", ref.attrs


def attributes_of(scopes: Mapping[str, Mapping[str, Value]]) -> Iterator[tuple[str, Literal]]:
    for prefix, names in scopes.items():
        for name, value in names.items():
            fixed = value.known and not value.switches and not name.startswith("__")
            if fixed and isinstance(value.const, str | int | float | bool | tuple):
                yield prefix + name, value.const


def paths_of(scopes: Mapping[str, Mapping[str, Value]]) -> Iterator[tuple[str, str]]:
    for prefix, names in scopes.items():
        for name, value in names.items():
            text = value.const
            if isinstance(text, str) and len(text) < 300 and _PATH.search(text):
                yield prefix + name, text
