"""A lower bound of the mass, from scores that beat their source."""

import pytest
from simulated_coders import heavier, lucky, stream

from harness.checks.e_values import THRESHOLD_NATS
from harness.checks.mass_bound import mass_bound


@pytest.mark.parametrize("seed", range(10))
def test_the_bound_is_below_the_mass(seed):
    """Honest: one. A code of mass 3: a bound below 3, and not far."""
    law = stream(seed)
    code = lucky(law, seed)

    assert mass_bound(code, law, THRESHOLD_NATS) == 1.0
    assert 2.5 < mass_bound(heavier(code, 3.0), law, THRESHOLD_NATS) <= 3.0
    assert mass_bound(None, law, THRESHOLD_NATS) == 1.0
