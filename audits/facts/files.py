"""Files of the folder: what the entry imports, executes or starts is read as part of it.

Guarantees: each file is read once, when it is first reached, as Python would.
Does not cover: paths built at run time, packages installed elsewhere; these stay names.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from audits.facts import evidence, statements
from audits.facts.machine import Frame, Machine
from audits.facts.scope import Scope
from audits.facts.trace import Helper
from audits.facts.values import BLANK, Library, Obj, Value

if TYPE_CHECKING:
    from audits.facts.calls import Args


INSIDE: Final = "!/"  # between a packed file and a file in its payload


def run_import(m: Machine, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
    """Names of the standard library and of packages stay names; a sibling file is read."""
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        inside = _load_sibling(m, module, scope)
        for alias in node.names:
            if alias.name == "*" and inside is not None:
                scope.names |= inside.names | {"__name__": scope.names["__name__"]}
                continue
            found = inside.names.get(alias.name) if inside else None
            if found is None:
                found = Value(refs=frozenset({Library(f"{module}.{alias.name}")}))
            scope.bind(alias.asname or alias.name, found)
        return
    for alias in node.names:
        inside = _load_sibling(m, alias.name, scope)
        if inside is not None:
            made = Obj("namespace")
            made.attrs = inside.names
            scope.bind(alias.asname or alias.name, Value(refs=frozenset({made})))
            continue
        name = alias.name if alias.asname else alias.name.split(".", 1)[0]
        scope.bind(alias.asname or name, Value(refs=frozenset({Library(name)})))


def _load_sibling(m: Machine, module: str, scope: Scope) -> Scope | None:
    """The names of a file of the same payload or folder, read on first use."""
    stem = module.replace(".", "/")
    packed = f"{scope.file}{INSIDE}{stem}.py"
    for file in (packed, f"{stem}.py", f"{stem}/__init__.py") if module else ():
        if (found := run_file(m, file)) is not None:
            return found
    return None


def run_file(m: Machine, file: str, name: str = "") -> Scope | None:
    """Reads a file of the folder once, as Python does; None when there is no such file."""
    if file not in m.loaded:
        if (tree := m.tree_of(file)) is None:
            return None
        if m.trees and INSIDE not in file:
            m.trace.helpers.append(Helper(m.here(), m.moment(), file))
        m.trees[file] = tree
        scope = m.loaded[file] = Scope(None, file.partition(INSIDE)[0])
        if m.config.logs.texts:
            m.told.update(evidence.messages(tree.body))
        scope.names["__name__"] = Value(name or file.removesuffix(".py"))
        m.frames.append(Frame("<module>", off_mark=len(m.off)))
        try:
            statements.run_block(m, tree.body, scope)
        finally:
            m.frames.pop()
    return m.loaded[file]


def execute(m: Machine, args: Args) -> Value:
    """`exec(open("other.py").read())` and `runpy.run_path("other.py")`."""
    for value in args[:1]:
        paths = [value.const] + [
            ref.attrs["path"].const for ref in value.refs if "path" in ref.attrs
        ]
        for path in paths:
            _run_named(m, path)
    return BLANK


def start(m: Machine, args: Args) -> Value:
    """A sibling script started as a program."""
    for value in args[:1]:
        words = [value, *(value.items or ()), *(e for r in value.refs for e in r.entries.values())]
        for word in words:
            for part in str(word.const).split():
                _run_named(m, part)
    return BLANK


def _run_named(m: Machine, path: object) -> None:
    if isinstance(path, str):
        name = path.rsplit("/", 1)[-1]
        if name.endswith(".py"):
            run_file(m, name, "__main__")
