"""Steps that learn from the stream go further: their learning rates times a number.

A procedure that scores first does so for every rate; at a small one, what an update carries cannot
be heard. Guarantees: the rate is the script's own again behind the step, so its schedules go on;
steps that learn from training shards stay as they are. Not covered: updates by hand, and
optimisers whose rate is not in their groups.
"""

from typing import Any


class LouderSteps:
    """Holds the rates of the optimiser that is stepping."""

    def __init__(self, times: float) -> None:
        self._times = times
        self._own: list[Any] = []
        self.learns_from_stream = False  # a gradient was taken over its positions since a step

    def before(self, optimizer: Any) -> None:
        """Raises them."""
        self._own = []
        if self._times == 1.0 or not self.learns_from_stream:
            return
        self._own = [group.get("lr") for group in optimizer.param_groups]
        for group in optimizer.param_groups:
            if "lr" in group:
                group["lr"] = group["lr"] * self._times

    def after(self, optimizer: Any) -> None:
        """Gives them back."""
        own, self._own, self.learns_from_stream = self._own, [], False
        for group, rate in zip(optimizer.param_groups, own, strict=False):
            if "lr" in group:
                group["lr"] = rate
