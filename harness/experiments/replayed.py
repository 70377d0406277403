"""Noise in the weights behind the first print of a number that is printed again later.

Guarantees: no run is made where no number is printed twice, nor where a repeat prints another one.
Does not cover: what it means (`checks/replayed`).
"""

from dataclasses import dataclass
from functools import partial

from harness.checks.replayed import check_repeated, repeated
from harness.experiments.experiment import Experiment
from harness.experiments.run_name import RunKind, RunName
from harness.protocol.job import Loudness


@dataclass(frozen=True)
class Replayed(Experiment):
    """The run with noise behind the first print."""

    def decide(self) -> None:
        """Fills `evidence.remembered`."""
        evidence, base = self.evidence, self.evidence.base
        found = repeated(base)
        if found is None or not evidence.repeats:
            return
        name, louder = RunName(RunKind.NOISE_BEHIND), Loudness(self.seed, behind=found.noted)
        self.runner.make({name: partial(self.driver.run, name, base.source, louder=louder)})
        noisy = evidence.get(RunKind.NOISE_BEHIND)
        evidence.remembered = check_repeated(found, base, noisy)
