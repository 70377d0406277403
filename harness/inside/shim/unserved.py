"""What the shim cannot serve ends the run with the construct's name.

The line is the script's: the runner reports the innermost line of the submission's own files.
Not covered: packages that are absent and have no stand-in. Python's own `ModuleNotFoundError` names
those, and a script that has a fallback for it must be able to take it.
"""

from collections.abc import Callable
from typing import Any, NoReturn


class UnservedConstruct(NotImplementedError):
    """A construct that exists only on a GPU, and for which nothing equivalent runs on a CPU."""


def unserved(construct: str) -> Callable[..., NoReturn]:
    """A callable that ends the run with `construct` in the message."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise UnservedConstruct(f"{construct} has no equivalent on a CPU; run with --device cuda")

    return refuse
