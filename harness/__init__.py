"""The compliance-auditing evaluation harness.

    from harness import evaluate, scan

This package is imported beside untrusted code too, so what it offers is loaded when it is asked
for. `harness.evaluate` is that function; the module of the same name is for `python -m` alone.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.library import evaluate as evaluate
    from harness.reading import scan as scan

_HOMES = {"evaluate": "harness.library", "scan": "harness.reading"}
__all__ = ["evaluate", "scan"]


def __getattr__(name: str) -> Any:
    """The public face, on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
