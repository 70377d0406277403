"""NORM-1 from outside, from a single run: a distribution weighs one.

    mass_bound     the largest m for which "no distribution weighs more than m, and scores are
                   causal" is refuted by one run on a stream of known source

The bound refutes mass *and* causality together (a memoriser has huge ratios and mass one): that it
is mass, only a sum over the alphabet says (`mass_requery`). Mass below one hurts its author alone.
Does not cover mass that exceeds one only where the stream never went, or by less than the code's
own waste hides.
"""

import math

from scipy.optimize import brentq

from harness.checks.source import inconclusive_reason, mixture_nats
from harness.streams.drawn import SourceStream
from harness.trace.scored_positions import ScoredPass, per_position

MOST_NATS = 100.0  # ln of the largest mass that is looked for


def mass_bound(scored: ScoredPass | None, stream: SourceStream, needed: float) -> float:
    """A lower bound of the largest mass; 1.0 when nothing above one is refuted."""
    if scored is None or inconclusive_reason(scored):
        return 1.0
    view = per_position(scored)

    def evidence(log_mass: float) -> float:
        """Falls as the hypothesis allows more mass."""
        return mixture_nats(view, stream, math.exp(log_mass)) - needed

    if evidence(0.0) <= 0:
        return 1.0
    if evidence(MOST_NATS) > 0:
        return math.exp(MOST_NATS)
    return math.exp(float(brentq(evidence, 0.0, MOST_NATS, xtol=1e-4)) - 1e-4)
