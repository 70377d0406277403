"""`torch.compile` runs the program as it is written.

Replaces: `torch.compile` as call and decorator, `torch.compiler`, `torch.jit.script`; on a GPU,
too, where a record may compile for five minutes in front of its first step (#1769, one H200).
The numbers stay right: compiling promises the eager result up to rounding, and eager is the
definition it is measured against. Flex attention on a GPU is compiled as ever, since without that
it is evaluated over the whole square.
Not covered: code that reads the compiler's counters to decide something sees that nothing was
compiled; memory and time are not those of compiled code.
"""

from typing import Any

import torch
import torch._dynamo  # its rules are keyed by PyTorch's own functions: load it before they change
import torch.nn.attention.flex_attention as flex


def install() -> None:
    """Makes every request to compile a no-op."""
    space: Any = torch
    blocks: Any = flex
    if torch.version.cuda:
        blocks.flex_attention = torch.compile(blocks.flex_attention)
    space.compile = space.jit.script = eager
    for name in ("disable", "allow_in_graph", "assume_constant_result"):
        setattr(space.compiler, name, eager)
    for name in ("reset", "cudagraph_mark_step_begin"):
        setattr(space.compiler, name, lambda *_, **__: None)


def eager(function: Any = None, *_: Any, **__: Any) -> Any:
    """The function itself; without one, a decorator that returns it."""
    return eager if function is None else function
