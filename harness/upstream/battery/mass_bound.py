"""NORM-1 from outside: a distribution weighs one.

    mass_bound     from one run on a stream of known law: the largest m for which "no distribution
                   weighs more than m, and scores are causal" is refuted
    alphabet_sum   where a score can be asked again: sum over every v of exp(-score(v))

The bound refutes mass *and* causality together (a memoriser has huge ratios and mass one): only
`naming` says when it is mass. Mass below one hurts its author alone. Does not cover mass that
exceeds one only where the stream never went, or by less than the code's own waste hides.
"""

import math
from collections.abc import Mapping

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp

from harness.checks.mass import MASS_TOLERANCE
from harness.checks.status import Level, RuleStatus, Status
from harness.upstream.battery.counted import Counted, Floats, per_position
from harness.upstream.battery.draw import LawStream
from harness.upstream.battery.source_test import half_unit_of, hedged_nats, why_silent

MOST_NATS = 100.0  # ln of the largest mass that is looked for


def mass_bound(counted: Counted | None, law: LawStream, needed: float) -> float:
    """A lower bound of the largest mass; 1.0 when nothing above one is refuted."""
    if counted is None or why_silent(counted):
        return 1.0
    view = per_position(counted)

    def evidence(log_mass: float) -> float:
        """Falls as the hypothesis allows more mass."""
        return hedged_nats(view, law, math.exp(log_mass)) - needed

    if evidence(0.0) <= 0:
        return 1.0
    if evidence(MOST_NATS) > 0:
        return math.exp(MOST_NATS)
    return math.exp(float(brentq(evidence, 0.0, MOST_NATS, xtol=1e-4)) - 1e-4)


def alphabet_sum(
    nats_by_token: Floats,  # (V,) the score that each token of the alphabet would have had
) -> float:
    """What the distribution weighs."""
    return float(np.exp(logsumexp(-nats_by_token)))


def check_alphabet_sums(scores: Mapping[int, Floats]) -> RuleStatus:
    """NORM-1 from the sums at chosen positions: position -> (V,) nats."""
    if not scores:
        text = "no score could be asked again"
        return RuleStatus("NORM-1", Status.UNKNOWN, Level.BLACK_BOX, text)
    masses = {at: alphabet_sum(nats) for at, nats in scores.items()}
    excess = {at: masses[at] / _tolerated(scores[at]) for at in masses}
    at = max(excess, key=lambda p: excess[p])
    heavy = excess[at] > 1
    found = {"position": at, "mass": masses[at], "positions": len(masses)}
    text = f"summed over the alphabet at {len(masses)} positions: at most {masses[at]:.6g}"
    status = Status.FAIL if heavy else Status.PASS
    return RuleStatus("NORM-1", status, Level.BLACK_BOX, text, findings=(found,))


def _tolerated(
    nats: Floats,  # (V,)
) -> float:
    """One, plus what rounding of the scores may add at worst."""
    return (1 + MASS_TOLERANCE) * math.exp(float(half_unit_of(nats).max(initial=0.0)))
