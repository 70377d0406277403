"""`torch.inference_mode` keeps its meaning for the reader and loses its marked tensors.

Replaces: the context and decorator, served by `no_grad`; `torch.is_inference_mode_enabled` still
answers as the script asked. Why the numbers stay right: inference mode changes bookkeeping, no
arithmetic. Why at all: caches that a compiled model makes anew are, in eager mode, inference
tensors that a later training step may not save (rotary tables of #549, #518, #490).
"""

import threading
from typing import Any

import torch
from torch.utils._contextlib import _DecoratorContextManager


class _State(threading.local):
    """Per thread, as in PyTorch."""

    on = False


_state = _State()


class InferenceMode(_DecoratorContextManager):
    """`inference_mode(mode)`: gradients off and the mode said to be on, or the reverse."""

    def __new__(cls, mode: Any = True) -> Any:
        """Also `@torch.inference_mode` without brackets."""
        return super().__new__(cls) if isinstance(mode, bool) else cls()(mode)

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self._mode = mode
        self._before = (False, True)

    def __enter__(self) -> None:
        """Remembers what was."""
        self._before = (_state.on, torch.is_grad_enabled())
        _state.on = self._mode
        torch.set_grad_enabled(not self._mode)

    def __exit__(self, *_: object) -> None:
        """Puts it back."""
        _state.on, grad = self._before
        torch.set_grad_enabled(grad)

    def clone(self) -> "InferenceMode":
        """A fresh one for every call of a decorated function."""
        return type(self)(self._mode)


def install() -> None:
    """For the whole process."""
    torch.inference_mode = InferenceMode  # type: ignore[assignment,misc]
    torch.autograd.inference_mode = InferenceMode  # type: ignore[assignment,misc]
    torch.is_inference_mode_enabled = lambda: _state.on
