"""What the script looks up in its environment, in every spelling.

`os.environ` keeps its identity and its contents; its class becomes one that notes a look-up before
it answers: `get`, `[]`, `in`, `pop`, `setdefault`, `os.getenv`, and the same of what
`os.environ.copy()` made. Only look-ups by a line of the script count, not those of a library.
Where a look-up gives no default, one that stands beside it is taken: a parameter of the function
that was given the name (`def env(key, default): raw = os.environ.get(key)`), or what the same line
and the next one load behind it (`int(os.getenv("DIM") or 512)`). `dict(os.environ)` is heard where
the script's code is rewritten (`hooks/code`). Does not cover: `{**os.environ}` and what is looked
up in it; programs that the script starts.
"""

import _collections_abc
import dis
import inspect
import os
import sys
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from harness.inside.hooks.recording.recorder import Recorder
from harness.inside.hooks.settings.asked_names import AskedNames
from harness.protocol.asked import Way

_BETWEEN = (os.__file__, _collections_abc.__file__, str(Path(__file__).parents[1]), "<frozen")
_MISSING = object()
_LOADS = ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FAST")
_CONSTANTS = ("LOAD_CONST", "LOAD_SMALL_INT")


class Environment:
    """Hears look-ups while installed."""

    def __init__(self, recorder: Recorder, names: AskedNames) -> None:
        self._recorder, self._names = recorder, names
        self._own, self._noting = type(os.environ), False
        os.environ.__class__ = _watched(self._own, self._heard)

    def close(self) -> None:
        """Takes everything back."""
        os.environ.__class__ = self._own

    def _heard(self, key: object, default: object = _MISSING) -> None:
        if isinstance(key, str) and not self._noting and self._names.wants(key):
            self._noting = True  # what is looked up for a note is no look-up of the script
            self._recorder.guarded("environment", self._note, key, default)
            self._noting = False

    def _note(self, key: str, default: object) -> None:
        frame = _asking()
        if frame is None or not self._recorder.sites.is_theirs(frame.f_code):
            return
        if default is None or default is _MISSING:
            if self._own.__contains__(os.environ, key):
                return  # it was told
            default = _default_beside(frame, key)
        self._names.note(key, Way.ENVIRONMENT, default)


def _watched(own: Any, heard: Any) -> Any:
    """The class of a mapping, with its look-ups heard."""

    class Watched(own):  # type: ignore[misc]
        def __getitem__(self, key: Any) -> Any:
            heard(key)
            return own.__getitem__(self, key)

        def __contains__(self, key: Any) -> bool:
            heard(key)
            return bool(own.__contains__(self, key))

        def get(self, key: Any, default: Any = None) -> Any:
            heard(key, default)
            return own.get(self, key, default)

        def pop(self, key: Any, *default: Any) -> Any:
            heard(key, *default)
            return own.pop(self, key, *default)

        def setdefault(self, key: Any, default: Any = None) -> Any:
            heard(key, default)
            return own.setdefault(self, key, default)

        def copy(self) -> Any:
            return _watched(dict, heard)(own.copy(self))

    Watched.__name__, Watched.__qualname__ = own.__name__, own.__qualname__
    Watched.__module__ = own.__module__
    return Watched


def _asking() -> FrameType | None:
    """Who asked, behind `os`, its mappings and our own look-ups."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if not frame.f_code.co_filename.startswith(_BETWEEN):
            return frame
        frame = frame.f_back
    return None


@lru_cache(maxsize=64)
def _instructions(code: CodeType) -> tuple[dis.Instruction, ...]:
    return tuple(dis.get_instructions(code))


def _default_beside(frame: FrameType, key: str) -> object:
    """The plain value that stands beside the name, a number rather than a word; else None."""
    code = frame.f_code
    inside = code.co_flags & inspect.CO_NEWLOCALS
    parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if inside else ()
    values = [frame.f_locals.get(name) for name in parameters]
    if not any(type(value) is str and value == key for value in values):
        values = _loaded_behind(frame)
    numbers = [value for value in values if isinstance(value, int | float)]
    words = [v for v in values if isinstance(v, str) and v.casefold() != key.casefold()]
    return next(iter([*numbers, *words]), None)


def _loaded_behind(frame: FrameType) -> list[Any]:
    """What this line and the next one load behind the look-up; numbers of this line, too, but 0 and
    1: they are a loop's own (`int(os.environ[k]) for k in keys if k in os.environ`), or no size.
    """
    found = []
    for one in _instructions(frame.f_code):
        line = one.positions.lineno if one.positions else None
        if one.offset <= frame.f_lasti or line not in (frame.f_lineno, frame.f_lineno + 1):
            continue
        if one.opname in _LOADS:
            found.append(frame.f_locals.get(one.argval))
        elif one.opname in _CONSTANTS and line == frame.f_lineno:
            found.append(one.argval if type(one.argval) in (int, float) else None)
    return [value for value in found if not (type(value) is int and value in (0, 1))]
