"""Class attributes that no environment switch reaches, set while the script's class body runs.

The file is never edited: `builtins.__build_class__` hands a patched class body a namespace that
answers a patched name with the given value, so what the body derives from it follows. Keys are
`Class.attribute`, or `attribute` for every class of the script. Does not cover attributes that are
set after the class was built, and names that the body only computes with, without storing them.
"""

import ast
import builtins
import types
from collections.abc import Callable, Mapping
from typing import Any


class _Body(dict[str, Any]):
    """The namespace of a class body; a patched name keeps its patch whatever is stored."""

    def __init__(self, names: Mapping[str, Any], patches: Mapping[str, str]) -> None:
        super().__init__(names)
        self._patches = patches

    def __setitem__(self, name: str, value: Any) -> None:
        patch = self._patches.get(name)
        super().__setitem__(name, value if patch is None else typed_like(value, patch))


class _PatchedMeta:
    """Stands where a metaclass stands; builds the class with the real one."""

    def __init__(self, meta: Any, patches: Mapping[str, str]) -> None:
        self._meta, self._patches = meta, patches

    def __prepare__(self, name: str, bases: tuple[Any, ...], **options: Any) -> _Body:
        return _Body(self._meta.__prepare__(name, bases, **options), self._patches)

    def __call__(self, name: str, bases: tuple[Any, ...], body: _Body, **options: Any) -> Any:
        return self._meta(name, bases, dict(body), **options)


def typed_like(original: Any, text: str) -> Any:
    """The value that `text` means in the place of `original`."""
    if isinstance(original, bool):
        return text.strip().lower() in ("1", "true", "yes", "on")
    if isinstance(original, str):
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return type(original)(value) if isinstance(original, int | float) else value


def install(patches: Mapping[str, str], theirs: Callable[[str], bool]) -> None:
    """Applies the patches to every class whose body is in a file that is `theirs`."""
    if not patches:
        return
    build_class = builtins.__build_class__

    def patched(body: Any, name: str, /, *bases: Any, **options: Any) -> Any:
        wanted = _patches_of(name, patches)
        if not wanted or not theirs(body.__code__.co_filename):
            return build_class(body, name, *bases, **options)
        meta = _metaclass(options.pop("metaclass", type), types.resolve_bases(bases))
        return build_class(body, name, *bases, metaclass=_PatchedMeta(meta, wanted), **options)

    builtins.__build_class__ = patched


def _metaclass(asked: Any, bases: tuple[Any, ...]) -> Any:
    """The most derived one, as Python chooses it: `NamedTuple` and `Generic[T]` are no classes."""
    for base in bases if isinstance(asked, type) else ():
        if issubclass(type(base), asked):
            asked = type(base)
    return asked


def _patches_of(class_name: str, patches: Mapping[str, str]) -> dict[str, str]:
    general = {key: text for key, text in patches.items() if "." not in key}
    own = f"{class_name}."
    return general | {
        key.removeprefix(own): text for key, text in patches.items() if key.startswith(own)
    }
