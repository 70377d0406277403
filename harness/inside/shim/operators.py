"""Operators that a script registers for a GPU run on a CPU, and settings of compilers are any.

Replaces: the device restriction of custom operators, Triton's wrappers, and settings of dynamo and
inductor that this version does not know.
The numbers stay right: an operator's own code is called. Not covered: code that only a GPU runs.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch.utils import _config_module

from harness.inside.shim.compiling import eager


def install() -> None:
    """Behind `compiling`."""
    _tolerant_settings()
    _operators()


def _tolerant_settings() -> None:
    module: Any = _config_module.ConfigModule
    assign = module.__setattr__

    def set_if_known(self: Any, name: str, value: object) -> None:
        if name in getattr(self, "_config", {name: None}):
            assign(self, name, value)

    module.__setattr__ = set_if_known


def _operators() -> None:
    library: Any = torch.library
    for name in ("custom_op", "register_kernel", "impl"):
        setattr(library, name, _anywhere(getattr(library, name)))
    library.triton_op = library.custom_op
    library.wrap_triton = eager


def _anywhere(register: Callable[..., Any]) -> Callable[..., Any]:
    """The same registration for "cpu" where it says "cuda"."""

    @functools.wraps(register)
    def registered(*arguments: Any, **options: Any) -> Any:
        arguments = tuple("cpu" if a == "cuda" else a for a in arguments)
        for name in ("device_types", "types"):
            if options.get(name) == "cuda":
                options[name] = "cpu"
        return register(*arguments, **options)

    return registered
