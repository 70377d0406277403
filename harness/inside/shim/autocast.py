"""CUDA's autocast, carried out by the CPU's.

Replaces: `torch.autocast("cuda", ...)` in all its spellings, the questions about its state, the
gradient scaler's device, and the part of CUDA's cast lists that the CPU lacks.
The numbers stay right: bfloat16 is kept, because kernels and hand-written backward passes rely on
the types that autocast hands them, and because it is what the submission measured. But PyTorch's
CPU lists leave `log_softmax`, `exp`, `sum` and the losses in bfloat16, where one score near 7 nats
is coarse by 2^-6; on CUDA these run in float32. So CUDA's lists (ATen/autocast_mode.h) are added to
the CPU's dispatch key: scores come out in float32, from bfloat16 logits, exactly as on a GPU.
`rms_norm`, a later entry of that list, is left out: the contest's versions did not have it, and
scripts multiply its result with bfloat16 in hand-written backward passes.
Not covered: float16 loss scaling finds other overflows than a GPU would; no real script uses it.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.amp.autocast_mode
from torch import Tensor

from harness.inside.shim.devices import SERVED

_HALVES = (torch.bfloat16, torch.float16)
_FLOAT32 = """
acos asin cosh erfinv exp expm1 log log10 log2 log1p reciprocal rsqrt sinh tan softplus layer_norm
native_layer_norm group_norm cosine_similarity logsumexp kl_div l1_loss smooth_l1_loss
huber_loss mse_loss nll_loss nll_loss_nd cross_entropy_loss binary_cross_entropy_with_logits dist
cdist renorm pow.Tensor_Scalar pow.Tensor_Tensor pow.Scalar
"""
_FLOAT32_UNLESS_TOLD = """
prod prod.dim_int softmax.int log_softmax.int cumprod cumsum linalg_vector_norm sum sum.dim_IntList
"""
_WIDEST = "addcdiv addcmul atan2 dot vdot index_put scatter_add"
_LIBRARY: Any = torch.library.Library("aten", "IMPL", "AutocastCPU")  # type: ignore[no-untyped-call]
_AUTOCAST = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastCPU)


def install() -> None:
    """Maps the context manager, then completes the CPU's lists."""
    _contexts()
    _questions()
    for names, choose in (
        (_FLOAT32, _float32),
        (_FLOAT32_UNLESS_TOLD, _float32_unless_told),
        (_WIDEST, _widest),
    ):
        _register(names.split(), choose)


def _contexts() -> None:
    for cls in (torch.amp.autocast_mode.autocast, torch.amp.GradScaler):
        _on_cpu_instead(cls)


def _on_cpu_instead(cls: Any) -> None:
    original = cls.__init__

    def __init__(self: Any, *arguments: Any, **options: Any) -> None:
        for name in ("device_type", "device"):
            if name in options:
                options[name] = _cpu(options[name])
        original(self, *map(_cpu, arguments[:1]), *arguments[1:], **options)

    cls.__init__ = __init__


def _cpu(device_type: Any) -> Any:
    return "cpu" if device_type in SERVED else device_type


def _questions() -> None:
    space: Any = torch
    for name in ("is_autocast_enabled", "get_autocast_dtype", "set_autocast_enabled"):
        setattr(space, name, _answered(getattr(space, name)))
    space.set_autocast_dtype = _answered(space.set_autocast_dtype)
    space.get_autocast_gpu_dtype = lambda: space.get_autocast_dtype("cpu")


def _answered(original: Callable[..., Any]) -> Callable[..., Any]:
    def answered(*arguments: Any) -> Any:
        if not arguments or isinstance(arguments[0], bool):
            arguments = ("cpu", *arguments)  # without a device CUDA is meant
        return original(_cpu(arguments[0]), *arguments[1:])

    return answered


def _register(names: Iterable[str], choose: Callable[..., tuple[Any, ...]]) -> None:
    for name in names:
        packet, _, overload = name.partition(".")
        if torch._C._dispatch_has_kernel_for_dispatch_key(f"aten::{name}", "AutocastCPU"):
            continue  # on the CPU's own list
        operator = getattr(getattr(torch.ops.aten, packet), overload or "default")
        _LIBRARY.impl(name, _cast(operator, choose))


def _cast(operator: Any, choose: Callable[..., tuple[Any, ...]]) -> Callable[..., Any]:
    def kernel(*arguments: Any, **options: Any) -> Any:
        guard = torch._C._ExcludeDispatchKeyGuard(_AUTOCAST)
        with guard:
            return operator(*choose(arguments, options), **options)

    return kernel


def _float32(arguments: tuple[Any, ...], _: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(_as(value, torch.float32) for value in arguments)


def _float32_unless_told(arguments: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, ...]:
    told = options.get("dtype") or any(isinstance(a, torch.dtype) for a in arguments)
    return arguments if told else _float32(arguments, options)


def _widest(arguments: tuple[Any, ...], _: dict[str, Any]) -> tuple[Any, ...]:
    kinds = {a.dtype for a in arguments if isinstance(a, Tensor) and a.is_floating_point()}
    wide = torch.float32 if torch.float32 in kinds else None
    return arguments if wide is None else tuple(_as(value, wide) for value in arguments)


def _as(value: Any, dtype: torch.dtype) -> Any:
    return value.to(dtype) if isinstance(value, Tensor) and value.dtype in _HALVES else value
