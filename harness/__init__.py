"""The compliance-auditing evaluation harness.

    from harness import evaluate

This package is imported beside untrusted code too, so what it offers is loaded when it is asked
for. `harness.evaluate` is that function; the module of the same name is for `python -m` alone.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.library import evaluate as evaluate

__all__ = ["evaluate"]


def __getattr__(name: str) -> Any:
    """The public face, on first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from harness import library

    return getattr(library, name)
