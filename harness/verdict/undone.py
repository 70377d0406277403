"""Rules that a run cannot pass which left out the work that they are about.

A layer that starts at zero passes nothing on until a training step moves it; a cache that met
nothing chose nothing. Guarantees: only a pass is weakened. Does not cover: work that the capture
does not know of.
"""

from collections.abc import Iterator, Sequence

from harness.checks.status import Reason, Status
from harness.configure.attempted import Lack

# What each lack leaves open: rules about the model, and rules about what adapts, mixes or chooses.
OPEN = {
    Lack.NO_STEP: ("CAUSAL-1", "CAUSAL-2", "CAUSAL-8"),
    Lack.IDLE: ("ORDER-1", "CAUSAL-3", "PASS-1", "PASS-2", "NORM-1"),
    Lack.NO_NUMBER: (),
}


def undone(lacks: Sequence[Lack]) -> Iterator[Reason]:
    """Why a pass of some rules says nothing here."""
    for lack in lacks:
        for rule in OPEN[lack]:
            yield Reason(rule, Status.PASS, Status.UNKNOWN, f"but {lack}")
