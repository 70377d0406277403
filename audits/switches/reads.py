"""What a script reads from outside: environment variables and command-line options.

Guarantees: a switch is listed because the script reads it, in a class body, inside a function,
through a wrapper such as `_e(name, default, type)` or in a packed payload.
Does not cover: names built at run time; defaults that are computed from the machine.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from audits import facts
from audits.facts.documented.configuration import Configuration
from audits.facts.documented.setting import Setting, SettingKind
from audits.facts.state import Interpreter
from audits.facts.values import BLANK, Value
from audits.folder import Files
from audits.switches.merged import merged_defaults
from audits.switches.texts import as_text

_NAME = re.compile(r"^[A-Z][A-Z0-9_]{2,}$")


@dataclass(frozen=True, slots=True)
class Switch:
    """One environment variable that the script reads."""

    name: str
    default: str | None  # as the environment would hold it; None: unset, required or computed
    required: bool = False  # `os.environ["NAME"]`


@dataclass(frozen=True, slots=True)
class Flag:
    """One command-line option."""

    name: str  # "--data-dir"
    default: str | None
    required: bool = False


@dataclass(frozen=True)
class _Recording(Configuration):
    """A configuration that remembers what was asked of it."""

    seen: dict[str, Value] = field(default_factory=dict)

    def read(self, name: str, default: Value) -> Value:
        known = self.seen.get(name)
        if known is None or not known.known:
            self.seen[name] = default
        return Configuration.read(self, name, default)


@dataclass(frozen=True)
class _Reading:
    interp: Interpreter
    seen: dict[str, Value]


class Reader(Files):
    """One target under several configurations."""

    def read(self, config: Configuration) -> _Reading:
        recording = _Recording(config.settings, config.ambiguous, config.logs)
        interp = facts.run(self.tree_of, self.target.entry, recording, explore=True)
        return _Reading(interp, recording.seen)

    def on_many_ranks(self, settings: Mapping[str, Setting], many: _Reading) -> dict[str, Setting]:
        """Techniques whose default is on or off by the number of ranks: as the contest's had it.

        Such as an `NGRAM_CACHE` that is "1" where the world size is above one (#758).
        """
        single = Setting("1", "one rank", SettingKind.RANKS)
        one = Configuration({**settings, "WORLD_SIZE": single})
        alone = _on_or_off(self.read(one).seen)
        return {
            name: Setting(text, "its default on several ranks", SettingKind.RANKS)
            for name, text in _on_or_off(many.seen).items()
            if name not in settings and alone.get(name, text) != text
        }

    def _calls(self) -> Iterator[ast.Call | ast.Subscript]:
        for source in list(self.sources.values()):
            for node in ast.walk(source.tree) if source.tree else ():
                if isinstance(node, ast.Call | ast.Subscript):
                    yield node

    def loose_reads(self) -> Iterator[Switch]:
        """Reads in code that the reading did not reach, by their form alone."""
        for source in list(self.sources.values()):
            for key, default in merged_defaults(source.tree) if source.tree else ():
                if name := _name(key):
                    yield Switch(name, as_text(_literal(default)))
        for node in self._calls():
            if isinstance(node, ast.Subscript):
                loaded = isinstance(node.ctx, ast.Load) and _is_environ(node.value)
                if loaded and (name := _name(node.slice)):
                    yield Switch(name, None, required=True)
            elif node.args and (name := _name(node.args[0])):
                called = ast.unparse(node.func).lower()
                if "env" in called and not called.endswith((".pop", "setdefault")):
                    rest = [*node.args[1:], *(one.value for one in node.keywords)]
                    yield Switch(name, as_text(_literal(rest[0])) if rest else None)

    def flags(self) -> Iterator[Flag]:
        """`add_argument("--name", default=...)`."""
        for node in self._calls():
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            names = [_literal(argument) for argument in node.args]
            long = [name for name in names if isinstance(name, str) and name.startswith("--")]
            if node.func.attr == "add_argument" and long:
                given = {one.arg: _literal(one.value) for one in node.keywords}
                yield Flag(long[0], as_text(given.get("default")), given.get("required") is True)


def _is_environ(node: ast.expr) -> bool:
    return ast.unparse(node).endswith("environ")


def _name(node: ast.expr) -> str | None:
    value = _literal(node)
    return value if isinstance(value, str) and _NAME.match(value) else None


def _literal(node: ast.expr) -> object:
    """The literal, also inside `str(...)` or `int(...)`; None for anything else."""
    if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
        return _literal(node.args[0])
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _on_or_off(seen: Mapping[str, Value]) -> dict[str, str]:
    texts = {name: as_text(value.const) for name, value in seen.items() if value.known}
    return {name: text for name, text in texts.items() if text in ("0", "1")}


def switch_of(name: str, default: Value) -> Switch:
    if default is BLANK:
        return Switch(name, None, required=True)
    return Switch(name, as_text(default.const) if default.known else None)
