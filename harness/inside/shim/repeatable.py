"""The same numbers in every run on a GPU.

Replaces: kernels that add in the order in which their threads happen to finish. Where PyTorch has
another for the same operator it is taken; the gradients of fused attention, which PyTorch leaves
as they are unless every operator must be repeatable, are asked for alone.
The numbers stay right: each of these kernels defines the same sum. Not covered: operators without
a repeatable kernel, a script's own kernels and what it sets itself, gradients of attention before
PyTorch 2.9: such a run does not repeat, and what needs a repetition is undecided.
"""

import os
import warnings
from collections.abc import Callable
from typing import Any

import torch

# Their repeatable kernels are chosen only where PyTorch may refuse others (ATen: "defaults to a
# non-deterministic algorithm ... warn_only=False").
_GRADIENTS = (
    "_flash_attention_backward",
    "_efficient_attention_backward",
)


def install() -> None:
    """Before anything computes on the device: cuBLAS reads its workspace once."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    options: Any = torch.utils.deterministic
    options.fill_uninitialized_memory = False  # it costs a write of each new tensor
    torch.backends.cuda.enable_cudnn_sdp(False)  # its gradients do not repeat
    warnings.filterwarnings("ignore", message=".*(deterministic|may also be overridden)")
    if torch.cuda.is_available() and hasattr(_library, "get_kernel"):  # since 2.9
        for name in _GRADIENTS:
            _require_repeatable(name)


_library: Any = torch.library
_OVERRIDES = _library.Library("aten", "IMPL")  # what it changed ends with it


def _require_repeatable(name: str) -> None:
    kernel = _library.get_kernel(f"aten::{name}", "CUDA")
    _OVERRIDES.impl(name, _strictly(kernel), "CUDA", with_keyset=True, allow_override=True)


def _strictly(kernel: Any) -> Callable[..., Any]:
    def called(keys: Any, *inputs: Any, **options: Any) -> Any:
        enabled = torch.are_deterministic_algorithms_enabled()
        only_warns = torch.is_deterministic_algorithms_warn_only_enabled()
        torch.use_deterministic_algorithms(enabled)
        try:
            return kernel.call_boxed(keys, *inputs, **options)
        finally:
            torch.use_deterministic_algorithms(enabled, warn_only=only_warns)

    return called
