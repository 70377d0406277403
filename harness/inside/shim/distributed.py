"""NCCL becomes gloo.

Replaces: the backend's name, the device a group is bound to, and DDP's `device_ids`.
The numbers stay right: a collective defines its result, whoever carries it out. Gloo sums in rank
order and averages by one division; both were compared with plain arithmetic at world size 2 in
float32 and bfloat16, blocking and not.
Not covered: `torch.distributed.nn`, symmetric memory and other extensions that only NCCL has.
"""

import functools
from typing import Any

import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel


def install() -> None:
    """Maps what names NCCL or a device."""
    if not dist.is_available():
        return
    space: Any = dist
    for name in ("init_process_group", "new_group"):
        setattr(space, name, _on_gloo(getattr(space, name)))
    space.is_nccl_available = lambda: True
    space.get_backend = _as_asked(space.get_backend)
    space.barrier = _without_devices(space.barrier)
    space.monitored_barrier = _without_devices(space.monitored_barrier)
    ddp: Any = DistributedDataParallel
    ddp.__init__ = _without_devices(ddp.__init__)


def _on_gloo(original: Any) -> Any:
    @functools.wraps(original)
    def started(*arguments: Any, **options: Any) -> Any:
        options.pop("device_id", None)
        options.pop("pg_options", None)
        if "backend" in options:
            options["backend"] = _gloo(options["backend"])
        if arguments and isinstance(arguments[0], str):
            arguments = (_gloo(arguments[0]), *arguments[1:])
        return original(*arguments, **options)

    return started


def _gloo(backend: Any) -> Any:
    return "gloo" if isinstance(backend, str) and "nccl" in backend else backend


def _as_asked(original: Any) -> Any:
    """Scripts compare the answer with "nccl" to choose how to synchronise."""
    return lambda *arguments: original(*arguments).replace("gloo", "nccl")


def _without_devices(original: Any) -> Any:
    @functools.wraps(original)
    def called(*arguments: Any, **options: Any) -> Any:
        for name in ("device_ids", "output_device"):
            options.pop(name, None)
        return original(*arguments, **options)

    return called
