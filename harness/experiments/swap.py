"""Two runs on a stream of two tokens: the second one has the other token at one position.

Made where scores are no plain softmax outputs and nothing was proved, or by `--all`; the second run
only where the first one claims less than the two tokens cost.
"""

from dataclasses import dataclass
from functools import partial

from harness.checks.two_tokens import (
    ITERATIONS,
    TwoTokens,
    beaten,
    pair_distribution,
    read_pair,
    swapped,
)
from harness.experiments.experiment import Experiment
from harness.experiments.run_name import RunKind, RunName

TWO, SWAPPED = RunName(RunKind.TWO_TOKENS), RunName(RunKind.SWAPPED)


@dataclass(frozen=True)
class Swap(Experiment):
    """The two runs on two tokens."""

    def decide(self) -> None:
        """Fills `evidence.pair`."""
        distribution = pair_distribution(self.driver.longest)
        # Elsewhere than in one process on the CPU runs are seldom bit-identical.
        if distribution is None or not self.driver.can_ask:
            why = "no such pieces, or no single process on the CPU"
            self.evidence.skipped[TWO] = why
            return
        longer_s = self.evidence.base.outcome.wall_s  # twelve steps for three
        run = partial(self.driver.run_on, distribution=distribution, iterations=ITERATIONS)
        self.runner.make({TWO: partial(run, TWO)}, longer_s)
        one = self.evidence.get(RunKind.TWO_TOKENS)
        if one is None or not beaten(one, self.evidence.base):
            return
        if (found := swapped(one)) is None:
            self.evidence.pair = TwoTokens("no token was scored once")
            return
        position, stream = found
        self.runner.make({SWAPPED: partial(run, SWAPPED, stream=stream)}, longer_s)
        self.evidence.pair = read_pair(one, self.evidence.get(RunKind.SWAPPED), position)
