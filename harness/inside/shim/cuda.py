"""`torch.cuda` as scripts ask it: one H100 that needs no driver.

Replaces: availability, properties, memory figures, random state, synchronisation and nvtx.
The numbers stay right: none of these computes. Work on a CPU is finished when the call returns, so
waiting is done at once; the CUDA generator is the CPU's, seeded by the same calls, so a saved and
restored state repeats what it should. Memory figures are 0, for no device memory is in use.
Not covered: CUDA graphs. They replay kernels and not the program, so they end the run by name.
"""

import contextlib
import os
from types import SimpleNamespace
from typing import Any

import torch

from harness.inside.shim.streams import Event, Stream, running
from harness.inside.shim.unserved import unserved

TOTAL_MEMORY = 85_017_755_648  # bytes, of an H100 with 80 GB
_PROPERTIES = SimpleNamespace(
    name="NVIDIA H100 80GB HBM3",
    major=9,
    minor=0,
    multi_processor_count=132,
    total_memory=TOTAL_MEMORY,
    total_mem=TOTAL_MEMORY,
    warp_size=32,
    L2_cache_size=52_428_800,
    max_threads_per_multi_processor=2048,
    regs_per_multiprocessor=65_536,
    shared_memory_per_block=49_152,
    shared_memory_per_block_optin=232_448,
    shared_memory_per_multiprocessor=233_472,
    gcnArchName="",
    is_integrated=False,
)


def install() -> None:
    """Puts the answers into the real `torch.cuda`, so that every alias of it agrees."""
    cuda: Any = torch.cuda
    answers = {**_answers(), **_waits(), **_memory(), **_random()}
    for name, answer in answers.items():
        setattr(cuda, name, answer)
    cuda.nvtx = SimpleNamespace(
        range_push=_nothing, range_pop=_nothing, mark=_nothing, range=_nothing_inside
    )
    cuda.random = SimpleNamespace(**_random())
    for name in ("CUDAGraph", "graph", "make_graphed_callables"):
        setattr(cuda, name, unserved(f"torch.cuda.{name}"))
    torch.version.cuda = "12.8"
    _metal()
    if hasattr(torch, "accelerator"):  # a build for CUDA would ask the driver for its streams
        torch.accelerator.current_accelerator = _no_accelerator


def _metal() -> None:
    """What ports to Apple's devices call by name; that there is one is not said."""
    metal: Any = torch.mps
    for name in ("synchronize", "empty_cache", "set_per_process_memory_fraction"):
        setattr(metal, name, _nothing)
    for name in ("current_allocated_memory", "driver_allocated_memory", "recommended_max_memory"):
        setattr(metal, name, _zero)
    metal.manual_seed = _random()["manual_seed"]


def _no_accelerator(check_available: bool = False) -> None:
    """What a build for CPUs says: optimisers look at it before each step."""


def _nothing(*_: Any, **__: Any) -> None:
    """A wait or a hint: on a CPU there is nothing to wait for."""


def _zero(*_: Any, **__: Any) -> int:
    """Bytes of device memory in use."""
    return 0


@contextlib.contextmanager
def _nothing_inside(*_: Any, **__: Any) -> Any:
    yield


def _answers() -> dict[str, Any]:
    local = int(os.environ.get("LOCAL_RANK", "0"))
    count = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "is_bf16_supported": lambda *_, **__: True,
        "device_count": lambda: count,
        "current_device": lambda: local,
        "set_device": _nothing,
        "init": _nothing,
        "device": _nothing_inside,
        "get_device_name": lambda *_, **__: _PROPERTIES.name,
        "get_device_capability": lambda *_, **__: (_PROPERTIES.major, _PROPERTIES.minor),
        "get_device_properties": lambda *_, **__: _PROPERTIES,
        "get_arch_list": lambda: ["sm_90"],
        "can_device_access_peer": lambda *_, **__: True,
        "utilization": _zero,
        "is_current_stream_capturing": lambda: False,
    }


def _waits() -> dict[str, Any]:
    return {
        "Stream": Stream,
        "ExternalStream": Stream,
        "Event": Event,
        "current_stream": lambda *_, **__: Stream.current,
        "default_stream": lambda *_, **__: Stream.current,
        "set_stream": _nothing,
        "stream": running,
        "StreamContext": running,
        "synchronize": _nothing,
        "ipc_collect": _nothing,
    }


def _memory() -> dict[str, Any]:
    figures = [
        f"{prefix}memory_{kind}"
        for prefix in ("", "max_")
        for kind in ("allocated", "reserved", "cached")
    ]
    hints = ("empty_cache", "reset_peak_memory_stats", "reset_max_memory_allocated")
    more = ("reset_accumulated_memory_stats", "set_per_process_memory_fraction")
    return {
        **dict.fromkeys(figures, _zero),
        **dict.fromkeys((*hints, *more), _nothing),
        "memory_stats": lambda *_, **__: {},
        "memory_summary": lambda *_, **__: "",
        "mem_get_info": lambda *_, **__: (TOTAL_MEMORY, TOTAL_MEMORY),
    }


def _random() -> dict[str, Any]:
    seed, state = torch.default_generator.manual_seed, torch.get_rng_state
    return {
        "manual_seed": lambda value: seed(value) and None,
        "manual_seed_all": lambda value: seed(value) and None,
        "initial_seed": torch.initial_seed,
        "get_rng_state": lambda *_, **__: state(),
        "get_rng_state_all": lambda: [state()],
        "set_rng_state": lambda value, *_, **__: torch.set_rng_state(value),
        "set_rng_state_all": lambda values: torch.set_rng_state(values[0]),
    }
