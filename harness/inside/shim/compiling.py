"""`torch.compile` runs the program as it is written.

Replaces: `torch.compile` as call and decorator, `torch.compiler`, settings of dynamo and inductor
that this version does not know, `torch.jit.script`, and the device restriction of custom operators.
The numbers stay right: compiling promises the eager result up to rounding, and eager is the
definition it is measured against.
Not covered: code that reads the compiler's counters to decide something sees that nothing was
compiled.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
import torch._dynamo  # its rules are keyed by PyTorch's own functions: load it before they change
from torch.utils import _config_module


def install() -> None:
    """Makes every request to compile a no-op."""
    space: Any = torch
    space.compile = space.jit.script = eager
    for name in ("disable", "allow_in_graph", "assume_constant_result"):
        setattr(space.compiler, name, eager)
    for name in ("reset", "cudagraph_mark_step_begin"):
        setattr(space.compiler, name, lambda *_, **__: None)
    _tolerant_settings()
    _operators()


def eager(function: Any = None, *_: Any, **__: Any) -> Any:
    """The function itself; without one, a decorator that returns it."""
    return eager if function is None else function


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
