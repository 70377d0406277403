"""What makes a CUDA script run on a CPU without editing it; one module a concern.

Guarantees: nothing of the script is edited; on a GPU absent packages are served, kernels repeat
where they can, and what is asked to be compiled may be run as it is written.
Does not cover: programs in another language that need a GPU.
"""

import importlib
from typing import Any

_ON_CPU = (
    "inference",
    "autocast",
    "attention",
    "flex",
    "operators",
    "interpreter",
    "children",
    "extensions",
    "distributed",
    "cuda",
    "devices",  # last: the others keep PyTorch's own functions
)


def install(device: str, compiled: bool, repeated: bool = True) -> None:
    """Called in the run's process, after torch is imported and before the script runs; `repeated`:
    other runs are to come to the same numbers.
    """
    modules = load(device, compiled, repeated)
    for module in modules:  # all are loaded before the first changes anything
        module.install()


def load(device: str, compiled: bool = False, repeated: bool = True) -> list[Any]:
    """The modules of all concerns; changes nothing."""
    native = ("packages", *(["repeatable"] * repeated), *(["compiling"] * (not compiled)))
    concerns = ("packages", "compiling", *_ON_CPU) if device == "cpu" else native
    return [importlib.import_module(f"{__name__}.{concern}") for concern in concerns]
