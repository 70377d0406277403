"""What the script did to a frozen file of its contest while it ran: functions, constants, content.

What the file defines at its top is noted before the script begins. At the end, where a module was
made of it, each function and method must be the file's own, each number the one that stood there,
and each module of the standard library a module; a script that binds the name of the one that
scores to a function of its own is noted too.
Guarantees: nothing is called; a wrapper is a replacement, as the file may not change at all. Does
not cover: what the script took back before its end, and methods that it took away.
"""

import ast
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from harness.inside.hooks.recording.recorder import Recorder
from harness.inside.hooks.recording.sites import Site
from harness.protocol.schema import EventKind


@dataclass(frozen=True)
class _File:
    """One frozen file, as it was."""

    path: Path
    raw: bytes
    functions: frozenset[str]
    methods: frozenset[tuple[str, str]]  # class, name
    numbers: Mapping[str, int | float]
    modules: frozenset[str]  # of the standard library, by the names that they have there


class Frozen:
    """Remembers the files; `close` says what became of them."""

    def __init__(
        self,
        recorder: Recorder,
        files: Sequence[Path],
        stage: Path,
        parsed: Callable[[Path], ast.Module],  # with the numbers that are exchanged in this run
        scorer: str = "",  # whose name the script may not give to a function of its own
    ) -> None:
        self._recorder, self._stage, self._scorer = recorder, stage, scorer
        self._files = [_read(path, parsed) for path in files if path.is_file()]

    def close(self) -> None:
        """Notes what is no longer the file's own."""
        for file in self._files:
            self._recorder.guarded("frozen", self._look, file)

    def _look(self, file: _File) -> None:
        if not file.path.is_file() or file.path.read_bytes() != file.raw:
            self._note(f"{file.path.name}, the file itself", None)
        if file.path.suffix != ".py":
            return
        module = next((m for m in [*sys.modules.values()] if _is_of(m, file.path)), None)
        names = {} if module is None else vars(module)
        for name in sorted(file.functions & set(names)):
            if not self._is_from(names[name], file.path):
                self._note(f"{file.path.stem}.{name}", names[name])
        for owner, name in sorted(file.methods):
            method = getattr(names.get(owner), "__dict__", {}).get(name)
            method = getattr(method, "__func__", getattr(method, "fget", method))
            code = getattr(method, "__code__", None)  # none: what a descriptor made of it
            if code is None or not Path(code.co_filename).is_relative_to(self._stage):
                continue
            if not self._is_from(method, file.path):
                self._note(f"{file.path.stem}.{owner}.{name}", method)
        for name in sorted(set(file.numbers) & set(names)):
            if names[name] != file.numbers[name]:
                self._note(f"{file.path.stem}.{name}", None)
        for name in sorted(file.modules & set(names)):
            if not isinstance(names[name], ModuleType):
                self._note(f"{file.path.stem}.{name}", None)
        main = vars(sys.modules["__main__"])
        for name in sorted(file.functions & {self._scorer} & set(main)):
            if isinstance(main[name], FunctionType) and not self._is_from(main[name], file.path):
                self._note(f"{name} of {file.path.name}, by one of the same name", main[name])

    def _note(self, what: str, instead: Any) -> None:
        code = getattr(instead, "__code__", None)
        site = None
        if code is not None and self._recorder.sites.is_theirs(code):
            name = self._recorder.sites.name_of(code.co_filename)
            site = Site(f"{name}:{code.co_firstlineno}", code.co_name)
        if site is None:
            self._recorder.event(EventKind.FROZEN, what)
        else:
            self._recorder.event(EventKind.FROZEN, what, site=site)

    def _is_from(self, function: Any, path: Path) -> bool:
        """The file's own, or what a decorator of a library made of it."""
        while function is not None:
            code = getattr(function, "__code__", None)
            if code is not None and code.co_filename == str(path):
                return True
            if code is not None and Path(code.co_filename).is_relative_to(self._stage):
                return False  # the script's own, whatever it wraps
            function = getattr(function, "__wrapped__", None)
        return False


def _read(path: Path, parsed: Callable[[Path], ast.Module]) -> _File:
    """What a name is bound to last counts; one that is bound anew elsewhere is left out. Data have
    their content alone.
    """
    if path.suffix != ".py":
        return _File(path, path.read_bytes(), frozenset(), frozenset(), {}, frozenset())
    tree = parsed(path)
    functions = {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}
    numbers = dict(_numbers(tree))
    inside = (one for one in ast.walk(tree) if isinstance(one, ast.Global))
    changed = {name for one in inside for name in one.names}
    kept = {name: number for name, number in numbers.items() if name not in changed}
    modules = frozenset(set(_modules(tree)) - changed)
    methods = frozenset(_methods(tree))
    return _File(path, path.read_bytes(), frozenset(functions - changed), methods, kept, modules)


def _is_of(module: Any, path: Path) -> bool:
    file = vars(module).get("__file__") if isinstance(module, ModuleType) else None
    if not isinstance(file, str) or not file.endswith(path.name):  # thousands are loaded
        return False
    return Path(file).resolve() == path.resolve()


def _methods(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for owner in (one for one in tree.body if isinstance(one, ast.ClassDef)):
        for one in owner.body:
            if isinstance(one, ast.FunctionDef):
                yield owner.name, one.name


def _modules(tree: ast.Module) -> Iterator[str]:
    """`import math`, `import os.path`: what others serve in place of absent packages is none."""
    for one in tree.body:
        for alias in one.names if isinstance(one, ast.Import) else ():
            top = alias.name.partition(".")[0]
            if top in sys.stdlib_module_names:
                yield alias.asname or top


def _numbers(tree: ast.Module) -> Iterator[tuple[str, int | float]]:
    for one in tree.body:
        if not isinstance(one, ast.Assign) or not isinstance(one.value, ast.Constant):
            continue
        number, target = one.value.value, one.targets[0]
        if isinstance(target, ast.Name) and isinstance(number, int | float):
            yield target.id, number
