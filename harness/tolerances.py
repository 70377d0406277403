"""Differences that say nothing: of two scores of one token, of a sum of probabilities and one.

One place for both roads: what a referee asks again, and what a script is run on again.
"""

MOVE_NATS = 1e-3  # another batch shape or another core moves an honest score by less
BAND_RUNS = 5  # identical runs that give a band of noise, where two are not bit-identical
BAND_TIMES = 10.0  # a move counts only beyond this many times the band
FLOAT32 = 3e-7  # relative: a float32 mean of many losses
MASS_TOLERANCE = 1e-4  # float32 rows of 8,192 entries sum to 1 within about 1e-6; this is far above


def rounding(half_unit: float, value: float) -> float:
    """By how much a printed number may be off: its last place, and a float32 mean."""
    return half_unit * 1.01 + FLOAT32 * value
