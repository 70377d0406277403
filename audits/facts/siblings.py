"""Files of the folder: what the entry imports, executes or starts is read as part of it.

Guarantees: each file is read once, when it is first reached, as Python would.
Does not cover: paths built at run time, packages installed elsewhere; these stay names.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from audits.facts.effects import layers, messages
from audits.facts.events import Helper
from audits.facts.scope import Scope
from audits.facts.state import Frame, Interpreter
from audits.facts.values import Library, Obj, Value

INSIDE: Final = "!/"  # between a packed file and a file in its payload

# Reads statements under a scope; False when control does not reach their end.
RunBlock = Callable[[Interpreter, list[ast.stmt], Scope], bool]


@dataclass(frozen=True, slots=True)
class Siblings:
    """The other files of the folder, and what reads their code."""

    interp: Interpreter
    run_block: RunBlock

    def bind_import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        """Names of the standard library and of packages stay names; a sibling file is read."""
        if isinstance(node, ast.ImportFrom):
            self._bind_names(node, scope)
            return
        for alias in node.names:
            inside = self._load(alias.name, scope)
            if inside is not None:
                made = Obj("namespace")
                made.attrs = inside.names
                scope.bind(alias.asname or alias.name, Value(refs=frozenset({made})))
                continue
            name = alias.name if alias.asname else alias.name.split(".", 1)[0]
            scope.bind(alias.asname or name, Value(refs=frozenset({Library(name)})))

    def _bind_names(self, node: ast.ImportFrom, scope: Scope) -> None:
        module = node.module or ""
        inside = self._load(module, scope)
        for alias in node.names:
            if alias.name == "*" and inside is not None:
                scope.names |= inside.names | {"__name__": scope.names["__name__"]}
                continue
            found = inside.names.get(alias.name) if inside else None
            if found is None:
                found = Value(refs=frozenset({Library(f"{module}.{alias.name}")}))
            scope.bind(alias.asname or alias.name, found)

    def _load(self, module: str, scope: Scope) -> Scope | None:
        """The names of a file of the same payload or folder, read on first use."""
        stem = module.replace(".", "/")
        packed = f"{scope.file}{INSIDE}{stem}.py"
        added = [f"{folder}/{stem}.py" for folder in self.interp.folders]
        for file in (packed, f"{stem}.py", f"{stem}/__init__.py", *added) if module else ():
            if (found := self.run(file)) is not None:
                return found
        return None

    def run(self, file: str, name: str = "") -> Scope | None:
        """Reads a file of the folder once, as Python does; None when there is no such file."""
        interp = self.interp
        if file not in interp.loaded:
            if (tree := interp.tree_of(file)) is None:
                return None
            if interp.trees and INSIDE not in file:
                interp.trace.helpers.append(Helper(interp.here(), interp.moment(), file))
            self._run_tree(file, tree, name or file.removesuffix(".py"))
        return interp.loaded[file]

    def _run_tree(self, file: str, tree: ast.Module, name: str) -> None:
        interp = self.interp
        interp.trees[file] = tree
        scope = interp.loaded[file] = Scope(None, file.partition(INSIDE)[0])
        if interp.config.logs.texts:
            interp.messages.update(messages.printed_by(tree.body))
        scope.names["__name__"] = Value(name)
        interp.frames.append(Frame("<module>", inactive_mark=len(interp.inactive)))
        try:
            self.run_block(interp, tree.body, scope)
            layers.note_module(interp, tree, scope)
        finally:
            interp.frames.pop()

    def add_folder(self, node: ast.Call) -> None:
        """`sys.path.insert(0, ...)`: the folder whose name is written there."""
        for one in ast.walk(node):
            if isinstance(one, ast.Constant) and isinstance(one.value, str):
                self.interp.folders.append(one.value.strip("./"))

    def execute(self, args: list[Value]) -> bool:
        """`exec(open("other.py").read())` and `runpy.run_path("other.py")`: whether it was read."""
        paths = [one.const for one in args[:1]]
        opened = (ref.attrs.get("path") for one in args[:1] for ref in one.refs)
        paths += [path.const for path in opened if path is not None]
        ran = [self._run_named(path) for path in paths]
        return any(ran)

    def start(self, args: list[Value]) -> None:
        """A sibling script started as a program."""
        for value in args[:1]:
            inside = (entry for ref in value.refs for entry in ref.entries.values())
            for word in (value, *(value.items or ()), *inside):
                for part in str(word.const).split():
                    self._run_named(part)

    def _run_named(self, path: object) -> bool:
        name = path.rsplit("/", 1)[-1] if isinstance(path, str) else ""
        return name.endswith(".py") and self.run(name, "__main__") is not None
