"""Cuts: constructs that a reading does not follow, where something of the evaluation goes in.

Guarantees: what comes back carries everything that went in, so nothing is lost of where it came
from; what was done to it is, and that is said, with the line.
Does not cover: packages that are known to compute and no more, such as torch and numpy.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from typing import Final

from audits.facts.call import Call
from audits.facts.events import Cut, Site
from audits.facts.labels import OUTPUT, STREAM, TOKENS
from audits.facts.state import Interpreter
from audits.facts.values import Value, kinds_of

# Packages whose functions are pure, or whose effects are read: see `interpreter.library`.
_KNOWN: Final = (
    frozenset({"torch", "numpy", "np", "scipy", "sentencepiece", "tqdm", "safetensors", "harness"})
    | frozenset({"triton", "flash_attn", "flash_attn_interface", "zstandard", "brotli", "numba"})
    | frozenset({"tiktoken", "tokenizers", "huggingface_hub", "datasets", "transformers", "wandb"})
    | frozenset({"psutil", "matplotlib", "pandas", "mlx", "jax", "jnp", "cupy", "einops"})
    | sys.stdlib_module_names
)
_BUILDS_CODE: Final = frozenset({"exec", "eval", "runpy.run_path", "runpy.run_module"})
LONGEST: Final = 60  # characters of code that are shown


def unknown_function(interp: Interpreter, call: Call) -> None:
    """What is called is not known: taken from a table, or made at run time."""
    _note(interp, interp.site_of(call), f"{_written(call.node.func)}, not known", call.values)


def unknown_object(interp: Interpreter, base: Value, call: Call) -> None:
    """A method of what nothing is known of: of a module whose name is made at run time, say."""
    if not (base.known or base.labels or base.items or base.worth):
        _note(interp, interp.site_of(call), f"{_written(call.node.func)}, not known", call.values)


def not_entered(interp: Interpreter, name: str, values: Iterable[Value]) -> None:
    """A function that calls itself, or that too many others lead to."""
    _note(interp, interp.here(), f"{name} again inside itself, or too deep to follow", values)


def package(interp: Interpreter, path: str, call: Call) -> None:
    """A function of a package that nobody here knows."""
    root = path.partition(".")[0]
    if "." in path and root not in _KNOWN:
        _note(interp, interp.site_of(call), f"{path}, of a package that is not read", call.values)


def built_code(interp: Interpreter, path: str, call: Call, *, ran: bool) -> None:
    """Code that is put together at run time: what it does to anything is not known."""
    if path in _BUILDS_CODE and not ran:
        cut = Cut(interp.site_of(call), f"{path} of code that is put together", "all that it does")
        _add(interp, cut)


def native(interp: Interpreter, name: str, call: Call) -> None:
    """A function of a compiled library whose source is not in the folder."""
    _note(interp, interp.site_of(call), f"{name}, native code without its source", call.values)


def _note(interp: Interpreter, site: Site, construct: str, values: Iterable[Value]) -> None:
    held = {kind for value in values for kind in kinds_of(value)}
    given = [
        words
        for words, marks in (
            ("validation tokens", {TOKENS, STREAM}),
            ("the model's outputs", {OUTPUT}),
        )
        if held & marks
    ]
    if given:
        _add(interp, Cut(site, construct, f"what it does with {' and '.join(given)}"))


def _add(interp: Interpreter, cut: Cut) -> None:
    interp.trace.cuts[cut] = None


def _written(node: ast.expr) -> str:
    return f"a call of {ast.unparse(node)[:LONGEST]}"
