"""The course of a run: learning-rate scale and Muon's momentum, as functions of where it stands.

Two clocks. By steps: the scale depends on the step alone, so a resumed run cannot differ. By the
wall: a run with a budget of seconds does not know its number of steps; as in #549, it warms down
over the seconds that `warmdown_steps` would take at the speed measured so far, so that a slower
machine ends its run as cooled down as a fast one.

Guarantees: scales lie in 0..1. Does not cover: who reads the clock (`trainer`).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    n_steps: int  # the run never takes more
    warmup_steps: int  # linear, from 1 / warmup_steps to one
    warmdown_steps: int  # linear to zero at the end; 0: none
    momentum: float  # Muon's, at the end of its climb
    momentum_start: float  # its first
    momentum_steps: int  # over so many steps, linearly; 0: the last value throughout

    def lr_scale(
        self,
        step: int,  # 0 is the first
        elapsed_s: float = 0.0,  # training seconds before this step
        budget_s: float | None = None,  # of all training; None: by steps
    ) -> float:
        """The share of the peak rate at this step: up, flat, down to zero."""
        up = (step + 1) / max(1, self.warmup_steps)
        return min(up, self.warmdown(step, elapsed_s, budget_s))

    def warmdown(self, step: int, elapsed_s: float = 0.0, budget_s: float | None = None) -> float:
        """The same without the way up: what happens "late" happens below a share of this."""
        if budget_s is None:
            return self._left(self.n_steps - step, 1.0)
        step_s = elapsed_s / max(step, 1)
        return self._left(max(0.0, budget_s - elapsed_s), step_s)

    def momentum_at(self, step: int) -> float:
        climbed = min(1.0, step / self.momentum_steps) if self.momentum_steps else 1.0
        return (1.0 - climbed) * self.momentum_start + climbed * self.momentum

    def _left(self, left: float, step_length: float) -> float:
        """What is left over what the warmdown takes, both in steps or both in seconds."""
        warmdown = self.warmdown_steps * step_length
        return left / warmdown if left < warmdown else 1.0
