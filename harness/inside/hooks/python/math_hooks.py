"""The functions of `math`, through which a score's place would be lost."""

import math
from typing import Any

from harness.inside.hooks.dynamo_compat import trace_as
from harness.inside.hooks.python.tracked_floats import TrackedNumber, listen, mixture
from harness.inside.hooks.recording.recorder import Recorder

FUNCTIONS = ("log", "exp", "log2", "log10", "log1p", "expm1")


class MathHooks:
    """Wraps them while installed."""

    def __init__(self, recorder: Recorder) -> None:
        listen(recorder)
        self._kept = {name: getattr(math, name) for name in FUNCTIONS}
        for name, compute in self._kept.items():
            setattr(math, name, _function(compute))

    def close(self) -> None:
        """Takes everything back."""
        listen(None)
        for name, compute in self._kept.items():
            setattr(math, name, compute)


def _function(compute: Any) -> Any:
    def function(*arguments: Any) -> Any:
        value = compute(*arguments)
        first = arguments[0] if arguments else None
        if isinstance(first, TrackedNumber):
            first.pending_total = None  # a mixture, not a total
            return mixture(value, first)
        return value

    return trace_as(function, compute)
