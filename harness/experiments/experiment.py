"""What every experiment of a battery has: who runs the script, what is known, a seed, a runner.

Guarantees: an experiment leaves what it found in `evidence`, and makes runs only through `runner`,
which knows the time. Does not cover: when it is wanted (`plan`).
"""

from dataclasses import dataclass

from harness.experiments.evidence import Evidence
from harness.experiments.runner import Driver, Runner


@dataclass(frozen=True)
class Experiment:
    """Some runs that answer one question together."""

    driver: Driver
    evidence: Evidence
    seed: int
    runner: Runner
