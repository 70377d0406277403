"""What the compiler sees of the watch: nothing.

Dynamo traces, guards and breaks a compiled callable as it would without us: the watching mode is
off the stack meanwhile (`mode_off`), wrappers that stay in place (`math.log`, `numpy.zeros`) say
which function is meant (`trace_as`), and the functions that Dynamo knows by identity are
looked up before any is wrapped (`load_dynamo`).
Not covered: a compiled `optimizer.step` has two graph breaks more, before and behind it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch._dynamo
from torch import Tensor
from torch._C import (
    _get_function_stack_at,
    _len_torch_function_stack,
    _pop_torch_function_stack,
    _push_on_torch_function_stack,
)
from torch.overrides import TorchFunctionMode

# For maps of our own, as they are before the watch wraps them.
from_numpy: Any = torch.from_numpy
to_numpy: Any = Tensor.numpy
untraced: Any = torch._dynamo.disable  # for hooks that torch calls: Dynamo breaks there


def load_dynamo() -> None:
    """Lets Dynamo look up, by identity, the functions of numpy and torch that it knows.

    Before any of them is wrapped: what it finds then, it would take for ours ever after.
    """
    traced = torch.compile(_of_both, backend="eager")
    if traced is _of_both:  # served eagerly: there is no compiler
        return
    traced(torch.zeros(1))
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()


def _of_both(x: Tensor) -> Tensor:
    return x + torch.as_tensor(np.zeros(1))


def trace_as(wrapper: Any, original: Any) -> Any:
    """The wrapper under the name of what it wraps, which Dynamo traces in its place."""
    wrapper.__name__, wrapper.__doc__ = original.__name__, original.__doc__
    wrapper._torchdynamo_inline = original
    return wrapper


@contextmanager
def mode_off(mode: TorchFunctionMode) -> Iterator[None]:
    """Takes the mode off the stack; modes that the script entered stay."""
    before = _taken_off()
    _put_on(other for other in before if other is not mode)
    try:
        yield
    finally:
        if mode in before:
            now = _taken_off()
            place = before.index(mode)
            _put_on([*now[:place], mode, *now[place:]])


def mode_is_on(mode: TorchFunctionMode) -> bool:
    """Whether the mode is on the stack of this thread."""
    return any(_get_function_stack_at(i) is mode for i in range(_len_torch_function_stack()))


def _taken_off() -> list[Any]:
    """The stack, outermost first, which is empty then."""
    return [_pop_torch_function_stack() for _ in range(_len_torch_function_stack())][::-1]


def _put_on(modes: Iterable[Any]) -> None:
    for mode in modes:
        _push_on_torch_function_stack(mode)
