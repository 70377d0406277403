"""Device arguments of CUDA and Metal become the CPU's; host copies stay copies.

Replaces: the `device=` of everything that makes a tensor, `Tensor.to`, `.cuda`, `.cpu`,
`.pin_memory`, `.record_stream`, `Module.to`, `torch.Generator`, `map_location`. The functions
themselves are wrapped, and no TorchFunctionMode is used: a mode costs on every operation, and a
script's own threads (one script in ten) would not be inside it.
The numbers stay right: a value does not depend on where it lies. One thing does change when two
devices become one: on CUDA `.cpu()` is a snapshot, on the CPU it would be the same memory, and the
weights that a script saved before its warm-up would follow the training. So `.cpu()` and
`.to("cpu")` copy here, and moving such a snapshot back copies again.
Not covered: `x.device` and `x.is_cuda` say what is true (cpu), so a script that asks takes the
branch it wrote for the CPU.
"""

import functools
from typing import Any

import torch
import torch.utils._device
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

_SNAPSHOTS: Any = WeakIdKeyDictionary()  # host copies; no attribute, for that would be pickled
_LIKE = ("zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like")
_NEW = ("new_zeros", "new_ones", "new_empty", "new_full", "new_tensor", "new_empty_strided")


def install() -> None:
    """Wraps everything that takes a device."""
    constructors = torch.utils._device._device_constructors()
    for home in (torch, torch.fft, torch.nested):
        for name in [name for name, value in vars(home).items() if _among(value, constructors)]:
            _wrap(home, name)
    for name in (*_LIKE, "randint_like", "frombuffer"):
        _wrap(torch, name)
    for name in _NEW:
        _wrap(Tensor, name)
    _moves()
    _modules()
    _defaults()


SERVED = ("cuda", "mps")


def on_cpu(device: Any) -> Any:
    """What stands for `device`; None and other devices as they are."""
    if isinstance(device, str) and device.startswith(SERVED):
        return torch.device("cpu")
    if isinstance(device, torch.device) and device.type in SERVED:
        return torch.device("cpu")
    if isinstance(device, int) and not isinstance(device, bool):
        return torch.device("cpu")  # an ordinal names an accelerator
    return device


def _among(value: Any, constructors: set[Any]) -> bool:
    return (
        callable(value) and getattr(value, "__hash__", None) is not None and (value in constructors)
    )


def _wrap(home: Any, name: str) -> None:
    original = getattr(home, name)

    @functools.wraps(original)
    def placed(*arguments: Any, **options: Any) -> Any:
        if "device" in options:
            options["device"] = on_cpu(options["device"])
        if options.get("pin_memory"):
            options["pin_memory"] = False  # page-locking needs a driver; the values are the same
        return original(*arguments, **options)

    setattr(home, name, placed)


_NO_DEVICE = (torch.dtype, Tensor)


def _moves() -> None:
    tensor: Any = Tensor
    to, cpu, clone = tensor.to, tensor.cpu, tensor.clone

    def snapshot(self: Tensor, *arguments: Any, **options: Any) -> Tensor:
        """`.cpu()`: own memory, as a transfer would give it."""
        copied: Tensor = clone(cpu(self, *arguments, **options))
        _SNAPSHOTS[copied] = True
        return copied

    def move(self: Tensor, *arguments: Any, **options: Any) -> Tensor:
        wanted = options["device"] if "device" in options else next(iter(arguments), None)
        if isinstance(wanted, _NO_DEVICE):
            return _kept(self, to(self, *arguments, **options))
        if "device" in options:
            options["device"] = on_cpu(wanted)
        elif arguments:
            arguments = (on_cpu(wanted), *arguments[1:])
        moved: Tensor = to(self, *arguments, **options)
        return _separate(self, moved, wanted)

    def _separate(source: Tensor, moved: Tensor, wanted: Any) -> Tensor:
        crosses = wanted == "cpu" or (source in _SNAPSHOTS and on_cpu(wanted) is not wanted)
        if crosses and moved is source:
            moved = clone(moved)
        if wanted == "cpu":
            _SNAPSHOTS[moved] = True
        return moved

    def copied(self: Tensor, *arguments: Any, **options: Any) -> Tensor:
        return _kept(self, clone(self, *arguments, **options))

    def to_cuda(self: Tensor, device: Any = "cuda", *_: Any, **__: Any) -> Tensor:
        return move(self, "cuda")

    tensor.to, tensor.cpu, tensor.cuda = move, snapshot, to_cuda
    tensor.clone = copied
    tensor.pin_memory = lambda self, *_, **__: self
    tensor.record_stream = lambda self, *_, **__: None


def _kept(source: Tensor, result: Tensor) -> Tensor:
    """A copy of a snapshot is a snapshot."""
    if source in _SNAPSHOTS and result is not source:
        _SNAPSHOTS[result] = True
    return result


def _modules() -> None:
    module: Any = torch.nn.Module
    module.cuda = lambda self, device=None, non_blocking=False: self
    to_empty = module.to_empty
    module.to_empty = lambda self, *, device, recurse=True: to_empty(
        self, device=on_cpu(device), recurse=recurse
    )


def _defaults() -> None:
    space: Any = torch
    load, generator = space.load, space.Generator
    default_device, context = space.set_default_device, torch.utils._device.DeviceContext.__init__

    @functools.wraps(load)
    def loaded(source: Any, map_location: Any = None, *arguments: Any, **options: Any) -> Any:
        if isinstance(map_location, str | torch.device):
            map_location = on_cpu(map_location)
        elif isinstance(map_location, dict):
            map_location = None  # moves between CUDA devices
        return load(source, map_location, *arguments, **options)

    class Generator(generator):  # type: ignore[misc, valid-type]
        """A generator of the one device there is."""

        def __new__(cls, device: Any = "cpu") -> Any:
            return generator.__new__(cls, on_cpu(device))

    def entered(self: Any, device: Any) -> None:
        context(self, on_cpu(device))

    space.load, space.Generator = loaded, Generator
    space.set_default_device = lambda device: default_device(on_cpu(device))
    torch.utils._device.DeviceContext.__init__ = entered  # type: ignore[method-assign]
