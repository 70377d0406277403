"""Triton kernels run through Triton's own interpreter.

Replaces: compilation and launch. `TRITON_INTERPRET=1` is read when a kernel is declared, so it is
set before the script is; what a parent process had loaded to be compiled is converted.
The numbers stay right: the interpreter executes the kernel's own text, block by block, on the same
memory, so what the kernel computes (and not what its author meant) is what is scored. Its bfloat16
arithmetic is repaired by `bfloat16`.
Not covered: inline assembly; races between blocks, which run here one after another; autotuning,
which takes the first configuration, since all of them must give the same values.
"""

import importlib.util
import os
import sys
from typing import Any


def install() -> None:
    """Interprets every kernel declared from now on."""
    os.environ["TRITON_INTERPRET"] = "1"
    if importlib.util.find_spec("triton") is None:
        return
    import triton  # type: ignore[import-untyped]
    import triton.runtime.autotuner  # type: ignore[import-untyped]

    from harness.inside.shim import bfloat16

    bfloat16.install()
    _interpreted_library()
    _patched_once()
    triton.knobs.runtime.interpret = True
    tuner: Any = triton.runtime.autotuner.Autotuner
    tuner.run = _first_configuration
    triton.testing.do_bench = _once


def _interpreted_library() -> None:
    """Triton's own device functions (`cdiv`, `sum`, `softmax`), had they been loaded to compile."""
    from triton.runtime.interpreter import InterpretedFunction  # type: ignore[import-untyped]
    from triton.runtime.jit import JITFunction  # type: ignore[import-untyped]

    for name, module in list(sys.modules.items()):
        if name.startswith("triton.language") and module is not None:
            for attribute, value in list(vars(module).items()):
                if isinstance(value, JITFunction):
                    setattr(module, attribute, InterpretedFunction(value.fn))


class _Kept:
    """A change of Triton's language that stays: nothing in this process is compiled."""

    def restore(self) -> None:
        """Nothing to undo."""


def _patched_once() -> None:
    """Launches share one change of the language; made and undone each time, it is half the cost."""
    from triton.runtime import interpreter

    patch = interpreter._patch_lang
    languages = {id(interpreter.tl), id(interpreter.tl.core)}
    done: set[frozenset[int]] = set()

    def patch_unseen(function: Any) -> _Kept:
        visible = {id(value) for value in function.__globals__.values()}
        if (key := frozenset(visible & languages)) not in done:
            patch(function)
            done.add(key)
        return _Kept()

    interpreter._patch_lang = patch_unseen


def _first_configuration(self: Any, *arguments: Any, **options: Any) -> Any:
    chosen = self.configs[0]
    return self.fn.run(*arguments, **{**options, **chosen.all_kwargs()})


def _once(function: Any, *_: Any, **__: Any) -> float:
    """Runs what would be timed; every choice costs the same: milliseconds."""
    function()
    return 1.0
