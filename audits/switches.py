"""Switches: what a script can be told from outside, and what its folder says it was told.

Guarantees: no code of the submission runs; a switch is listed because the script reads it, in a
class body, inside a function, through a wrapper such as `_e(name, default, type)` or in a packed
payload; a default is given where literals and the folder's own settings decide it; every value
that the folder sets keeps its source. Commands in README.md and run scripts (the last of several)
outrank what its logs show, which outranks assignments in the prose of README.md.
Does not cover: names built at run time; defaults that are computed from the machine.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from audits import facts
from audits.facts.documented.commands import commands_of, configuration
from audits.facts.documented.configuration import Configuration, Setting
from audits.facts.documented.logs import Logs
from audits.facts.state import Interpreter
from audits.facts.values import BLANK, ClassObj, Obj, Value
from audits.folder import Files, Target, target_of
from audits.source import Source

Literal = str | int | float | bool | tuple[object, ...] | None

_NAME = re.compile(r"^[A-Z][A-Z0-9_]{2,}$")
_PATH = re.compile(r"/|\.(?:bin|model|json|vocab|npy|npz|pt|ptz)$")
_TRUTHS = {"true": "1", "false": "0", "yes": "1", "no": "0", "on": "1", "off": "0"}
_PROSE = re.compile(r"\b([A-Z][A-Z0-9_]{2,})=([^\s`'\",;|)*]+)")


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
class Switches:
    """Everything that decides a run from outside."""

    target: Target
    files: tuple[str, ...]  # the files that the entry reaches, itself first
    switches: Mapping[str, Switch]
    settings: Mapping[str, Setting]  # what the folder says it ran with
    attributes: Mapping[str, Literal]  # "Hyperparameters.model_dim" or "MODEL_DIM": no switch
    paths: Mapping[str, str]  # the same kind of names: what leads to a file, as configured
    flags: Mapping[str, Flag] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)

    def paths_under(self, environment: Mapping[str, str]) -> dict[str, str]:
        """What leads to files when the environment is this one."""
        given = {name: Setting(text, "environment") for name, text in environment.items()}
        machine = _Reader(self.target, self.sources).read(Configuration(given)).machine
        return dict(_paths(dict(_scopes(machine))))

    def value(self, name: str) -> str | None:
        """What the folder's run had in this variable."""
        if (setting := self.settings.get(name)) is not None:
            return setting.value
        switch = self.switches.get(name)
        return None if switch is None else switch.default

    @property
    def text(self) -> str:
        """The innermost text of every file reached."""
        return "\n".join(source.text for source in self.sources.values())


def read_switches(path: Path, entry: str | None = None) -> Switches:
    """Reads one script or folder. Raises UsageError and NothingToScan as a scan does."""
    target = target_of(path, entry)
    reader = _Reader(target)
    first = reader.read(target.config)
    config = target.config.with_printed(first.machine.trace.shown)
    settings = _settings(target, config, first.seen)
    first = reader.read(Configuration(settings))
    if by_ranks := reader.on_many_ranks(settings, first):
        settings |= by_ranks
        first = reader.read(Configuration(settings))
    loose = {switch.name: switch for switch in reader.loose_reads()}
    scopes = dict(_scopes(first.machine))
    return Switches(
        target=target,
        files=tuple(reader.sources),
        switches=loose | {name: _switch(name, value) for name, value in first.seen.items()},
        settings=settings,
        attributes=dict(_attributes(scopes)),
        paths=dict(_paths(scopes)),
        flags={flag.name: flag for flag in reader.flags()},
        sources=dict(reader.sources),
    )


def as_number(text: str | None) -> float | None:
    """The number that a setting holds, or None."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


# -------------------------------------------------------------------------------------------------
# what the script reads


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
    machine: Interpreter
    seen: dict[str, Value]


class _Reader(Files):
    """One target under several configurations."""

    def read(self, config: Configuration) -> _Reading:
        recording = _Recording(config.settings, config.ambiguous, config.logs)
        machine = facts.run(self.tree_of, self.target.entry, recording, explore=True)
        return _Reading(machine, recording.seen)

    def on_many_ranks(self, settings: Mapping[str, Setting], many: _Reading) -> dict[str, Setting]:
        """Techniques whose default is on or off by the number of ranks: as the contest's had it.

        #758: `NGRAM_CACHE` is "1" if world_size > 1.
        """
        one = Configuration({**settings, "WORLD_SIZE": Setting("1", "one rank")})
        alone = _on_or_off(self.read(one).seen)
        return {
            name: Setting(text, "its default on several ranks")
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
        for node in self._calls():
            if isinstance(node, ast.Subscript):
                loaded = isinstance(node.ctx, ast.Load) and _is_environ(node.value)
                if loaded and (name := _name(node.slice)):
                    yield Switch(name, None, required=True)
            elif node.args and (name := _name(node.args[0])):
                called = ast.unparse(node.func).lower()
                if "env" in called and not called.endswith((".pop", "setdefault")):
                    rest = [*node.args[1:], *(one.value for one in node.keywords)]
                    yield Switch(name, _as_text(_literal(rest[0])) if rest else None)

    def flags(self) -> Iterator[Flag]:
        """`add_argument("--name", default=...)`."""
        for node in self._calls():
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            names = [_literal(argument) for argument in node.args]
            long = [name for name in names if isinstance(name, str) and name.startswith("--")]
            if node.func.attr == "add_argument" and long:
                given = {one.arg: _literal(one.value) for one in node.keywords}
                yield Flag(long[0], _as_text(given.get("default")), given.get("required") is True)


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
    texts = {name: _as_text(value.const) for name, value in seen.items() if value.known}
    return {name: text for name, text in texts.items() if text in ("0", "1")}


def _switch(name: str, default: Value) -> Switch:
    if default is BLANK:
        return Switch(name, None, required=True)
    return Switch(name, _as_text(default.const) if default.known else None)


def _as_text(value: object) -> str | None:
    """As the environment would hold it."""
    if isinstance(value, bool):
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) else None


# -------------------------------------------------------------------------------------------------
# what the script fixes itself


def _scopes(machine: Interpreter) -> Iterator[tuple[str, Mapping[str, Value]]]:
    """Names of modules and of plain classes, and of instances that are held by a name."""
    seen: set[Obj] = set()
    for scope in machine.loaded.values():
        yield "", scope.names
        for name, value in scope.names.items():
            for ref in value.refs - seen:
                seen.add(ref)
                if isinstance(ref, ClassObj) and ref.role == "plain":
                    yield f"{ref.name}.", ref.attrs
                elif ref.kind == "instance":
                    yield f"{name}.", ref.attrs


def _attributes(scopes: Mapping[str, Mapping[str, Value]]) -> Iterator[tuple[str, Literal]]:
    for prefix, names in scopes.items():
        for name, value in names.items():
            fixed = value.known and not value.switches and not name.startswith("__")
            if fixed and isinstance(value.const, str | int | float | bool | tuple):
                yield prefix + name, value.const


def _paths(scopes: Mapping[str, Mapping[str, Value]]) -> Iterator[tuple[str, str]]:
    for prefix, names in scopes.items():
        for name, value in names.items():
            text = value.const
            if isinstance(text, str) and len(text) < 300 and _PATH.search(text):
                yield prefix + name, text


# -------------------------------------------------------------------------------------------------
# what the folder says it ran


def _settings(
    target: Target, config: Configuration, read: Mapping[str, Value]
) -> dict[str, Setting]:
    """Commands (the last of several), then logs, then prose: the surer source wins."""
    commands = config.settings or _commands_of_any(target.root)
    config = replace(config, settings=commands)
    if _contradicts(config, read):
        config = replace(config, logs=Logs())
    found = _prose(target.root, set(read)) if not commands and _is_folder(target) else {}
    for name in sorted(set(read) | set(commands)):
        for setting in (config.setting(name), commands.get(name)):
            if setting is not None and _plausible(setting.value, read.get(name, BLANK)):
                found[name] = setting
                break
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        found.pop(name, None)  # the launcher's business, and ours is another machine
    return found


def _contradicts(config: Configuration, read: Mapping[str, Value]) -> bool:
    """Logs of another run than the documented one: what else they show is that run's too."""
    logs = config.logs.settings
    for name, setting in config.settings.items():
        logged = logs.get(name.lower(), (setting.value, ""))[0]
        clear = name in read and name != "SEED" and name not in config.ambiguous
        if clear and _plausible(logged, read[name]) and not _same(logged, setting.value):
            return True
    return False


def _same(one: str, other: str) -> bool:
    numbers = as_number(_TRUTHS.get(one.lower(), one)), as_number(_TRUTHS.get(other.lower(), other))
    return numbers[0] == numbers[1] if None not in numbers else not any(numbers)


def _plausible(text: str, default: Value) -> bool:
    """A placeholder (`<seed>`) is no value, nor is a word (`int,`) where a number is read."""
    if "<" in text or text.endswith(","):
        return False
    if not text:
        return default.known and as_number(_as_text(default.const)) is None
    wanted = as_number(_as_text(default.const)) if default.known else None
    return wanted is None or as_number(text) is not None or text.lower() in _TRUTHS


def _is_folder(target: Target) -> bool:
    return target.files != (target.entry,) or (target.root / "submission.json").is_file()


def _commands_of_any(folder: Path) -> dict[str, Setting]:
    """A folder whose commands name another copy of the script still says how it was run."""
    commands = commands_of(folder)
    scripts = {command.script for command in commands if command.script}
    if len(scripts) != 1:
        return {}
    return dict(configuration(commands, scripts.pop()).settings)


def _prose(folder: Path, read: set[str]) -> dict[str, Setting]:
    """`NAME=value` anywhere in README.md, where it always says the same."""
    found: dict[str, Setting | None] = {}
    path = folder / "README.md"
    text = path.read_bytes().decode("utf-8", "replace") if path.is_file() else ""
    for number, line in enumerate(text.split("\n"), 1):
        for name, value in _PROSE.findall(line):
            if name in read and "$" not in value and "<" not in value:
                setting = Setting(value.rstrip("."), f"README.md line {number} (prose)")
                known = found.setdefault(name, setting)
                if known is not None and known.value != setting.value:
                    found[name] = None
    return {name: setting for name, setting in found.items() if setting is not None}


__all__ = ["Flag", "Setting", "Switch", "Switches", "as_number", "read_switches"]
