"""Gradient modes: which blocks and functions promise to keep no gradients.

Guarantees: told by the form of the call alone, `torch.no_grad()` or `inference_mode()`, with or
without its module; `inference_mode(False)` promises nothing.
Does not cover: modes switched on and off by function calls.
"""

from __future__ import annotations

import ast
from typing import Final

_QUIET: Final = frozenset({"no_grad", "inference_mode"})


def forbids(node: ast.expr) -> bool:
    """Whether a `with` item or a decorator switches gradients off."""
    switched_off = False
    if isinstance(node, ast.Call):
        given = [*node.args, *(one.value for one in node.keywords)]
        switched_off = any(isinstance(one, ast.Constant) and one.value is False for one in given)
        node = node.func
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name in _QUIET and not switched_off
