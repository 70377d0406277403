"""The evidence that scores carry against an honest code: e-values, in nats, and what is taken off.

On a stream drawn from q, a code that is causal, normalised, score first and single pass has
E[p_t/q_t | past] <= 1. So the product of the ratios (plain), and the mean over l in [0, 1] of the
products of 1 + l (p_t/q_t - 1) (mixture), are e-values: ln of one beyond k has a probability of at
most e^-k, whatever honest code was scored (Ville's inequality).

Guarantees: a log e-value beyond THRESHOLD_NATS refutes with a probability of error of at most 1e-6
for a whole evaluation. Does not cover: power; an honest result says "not refuted", never "proved".
"""

import math

import numpy as np

from harness.arrays import Floats
from harness.tolerances import MASS_TOLERANCE

ERROR_PROBABILITY = 1e-6  # for a whole evaluation
# Who shares it: plain and mixture of the base run, the same on uniform ids alone and on tokens of
# unequal price, the claim as printed on both, what was left out there by price and by kind, and a
# token's probability spread over its bytes.
N_TESTS = 11
THRESHOLD_NATS = math.log(N_TESTS / ERROR_PROBABILITY)
BETS = np.concatenate([[0.0], np.geomspace(1e-4, 1.0, 41)])  # l

MASS_NATS = math.log1p(MASS_TOLERANCE)  # a token
BFLOAT16_NATS = 2.0**-6  # one rounding near 7 nats
FLOAT32_EPSILON = 2.0**-24


def mixture_log_e(
    log_ratios: Floats,  # (n,) nats, ln p_t/q_t
) -> float:
    """ln of the mean over BETS of prod(1 + l (r_t - 1))."""
    ratios = np.exp(np.minimum(log_ratios, 700.0))
    with np.errstate(divide="ignore"):
        log_products = np.array([np.log1p(bet * (ratios - 1)).sum() for bet in BETS])
    top = log_products.max()
    return float(top + np.log(np.exp(log_products - top).mean()))


def score_rounding(
    nats: Floats,  # (k,)
) -> Floats:  # (k,) nats
    """Half a unit in the last place where *all* scores are 16-bit numbers, else zero.

    A softmax of 16-bit logits is a distribution like any other; only a score that was itself
    rounded may have gained, at most 2^-6 near 7 nats in bfloat16.
    """
    bits = nats.astype(np.float32).view(np.uint32)
    exponent = np.frexp(np.abs(nats))[1]
    for unseen, significand in ((0xFFFF, 8), (0x1FFF, 11)):  # bfloat16, float16
        if not (bits & unseen).any():
            return np.where(nats == 0, 0.0, 2.0 ** (exponent - significand - 1.0))
    return np.zeros(len(nats))
