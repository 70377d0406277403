"""Numbers in configuration files that the script parses, exchanged in what the parser gives back.

    {"model": {"dim": 512}}, JSON      [model] dim = 512, TOML or INI      model: {dim: 512}, YAML
    dim = 512, a Python file that `runpy` runs

The files stay as they are. What the script writes and reads again for itself, as the sizes beside
its weights, is no configuration: only what lay in its folder when it began counts, as a file or as
a text inside one.
Guarantees: only what a line of the script parses, by itself or through OmegaConf. Does not cover:
parsers of other packages; text that is executed; lists of numbers.
"""

import configparser
import functools
import importlib
import json
import os
import runpy
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from pathlib import Path
from types import FrameType
from typing import Any

from harness.inside.class_patches import typed_like

KINDS = (".json", ".toml", ".yaml", ".yml", ".ini", ".cfg", ".conf", ".py")
MOST_CHARACTERS, MOST_FILES = 1 << 18, 200  # of a file; of a folder
MOST_LEVELS = 12  # of containers in containers: a module that was run may hold itself
MOST_ENTRIES = 500  # of a configuration; a vocabulary has more
_BETWEEN = ("json", "tomllib", "yaml", "configparser", "runpy", "omegaconf", "harness")

Theirs = Callable[[FrameType], bool]
Look = Callable[[MutableMapping[str, Any]], None]  # at what was parsed


class Parsers:
    """The parsers, while `look` sees what each gives to the script."""

    def __init__(self, look: Look, theirs: Theirs, stage: Path) -> None:
        self._look, self._theirs = look, theirs
        self._texts = _texts_in(stage)
        self._were: list[tuple[Any, str, Any]] = []
        for owner, name in _parsers():
            self._watch(owner, name)

    def close(self) -> None:
        """Takes everything back."""
        for owner, name, was in self._were:
            setattr(owner, name, was)

    def _watch(self, owner: Any, name: str) -> None:
        was = getattr(owner, name)

        @functools.wraps(was)
        def parsed(*args: Any, **kwargs: Any) -> Any:
            ini = owner is configparser.RawConfigParser
            is_own = self._is_asked() and self._is_own(args[1 if ini else 0] if args else None)
            result = was(*args, **kwargs)
            found = args[0]._sections if ini else result
            if is_own and isinstance(found, dict):
                self._look(found)
            return result

        self._were.append((owner, name, was))
        setattr(owner, name, parsed)

    def _is_own(self, source: Any) -> bool:
        """A file, or a text, that was there from the beginning."""
        if hasattr(source, "getvalue"):
            source = source.getvalue()
        name = getattr(source, "name", source)
        if isinstance(name, os.PathLike | str) and str(Path(name).absolute()) in self._texts:
            return True
        if not isinstance(source, str | bytes) or len(source) > MOST_CHARACTERS:
            return False
        text = source if isinstance(source, str) else source.decode(errors="replace")
        return any(text.strip() in one for one in self._texts.values())

    def _is_asked(self) -> bool:
        """By a line of the script, and not by a parser that calls another one."""
        frame: FrameType | None = sys._getframe(2)
        while frame is not None and _package(frame) in _BETWEEN:
            frame = frame.f_back
        return frame is not None and self._theirs(frame)


def _parsers() -> Iterator[tuple[Any, str]]:
    yield from ((json, "load"), (json, "loads"), (tomllib, "load"), (tomllib, "loads"))
    yield from ((configparser.RawConfigParser, "_read"), (runpy, "run_path"))
    try:
        yaml = importlib.import_module("yaml")
    except ImportError:
        return
    yield from ((yaml, name) for name in ("load", "safe_load", "full_load", "unsafe_load"))


def _texts_in(stage: Path) -> dict[str, str]:
    """By their paths: what may be a configuration, or hold one."""
    files = [p for form in ("*", "*/*") for p in sorted(stage.glob(form)) if p.suffix in KINDS]
    small = [p for p in files if p.is_file() and p.stat().st_size <= MOST_CHARACTERS]
    return {
        str(p.absolute()): p.read_text(encoding="utf-8", errors="replace")
        for p in small[:MOST_FILES]
    }


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def numbers_of(
    parsed: Any, prefix: str = "", levels: int = MOST_LEVELS
) -> Iterator[tuple[str, Any, Any]]:
    """Every number that has a name: its path, what holds it, its key there."""
    pairs = parsed.items() if isinstance(parsed, dict) else enumerate(parsed)
    for key, value in list(pairs):
        path = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(key, str) and key.startswith("__"):
            continue  # of a module that was run: its builtins are a dictionary, too
        if isinstance(value, dict | list) and levels:
            yield from numbers_of(value, path, levels - 1)
        elif isinstance(key, str) and _is_number(value):
            yield path, parsed, key


def _is_number(value: Any) -> bool:
    if isinstance(value, str):  # as INI files hold it
        return value.isdecimal()
    return isinstance(value, int | float) and not isinstance(value, bool)


def key_of(path: str, value: object) -> str:
    """Of an entry that holds this number: "model.dim 512"."""
    return f"{path} {value}"


def exchange(values: Mapping[str, str]) -> Look:
    """`values`: key of an entry -> the number that stands there instead."""

    def exchanged(parsed: MutableMapping[str, Any]) -> None:
        for path, holder, key in numbers_of(parsed):
            text = values.get(key_of(path, holder[key]))
            if text is not None:
                holder[key] = typed_like(holder[key], text)

    return exchanged
