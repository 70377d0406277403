"""SOURCE-1: nobody beats the source. Two e-values against "causal, normalised, score first, single
pass".

On a stream drawn from a law q, an honest code has E[p_t/q_t | past] <= 1, so the product of the
ratios, and any average over l in [0, 1] of the products of 1 + l (p_t/q_t - 1), is an e-value:
"saved k nats" has probability at most e^-k (Ville's inequality). The bet l is zero at scheduled
boundaries.

Subtracted first: the tolerance of NORM-1. Does not cover: power. An honest result here says "not
refuted", never "proved".
"""

import math
from dataclasses import dataclass

import numpy as np

from harness.checks.e_values import MASS_NATS, THRESHOLD_NATS, mixture_log_e
from harness.checks.status import Finding, Level, Status
from harness.referee.run import SourceRun


@dataclass(frozen=True)
class SourceTest:
    """The arithmetic, in nats."""

    plain: float  # ln of the plain e-value, allowance subtracted
    hedged: float | None  # ln of the hedged e-value; None without per-token scores
    allowance: float

    @property
    def refuted(self) -> bool:
        """Either e-value is beyond chance."""
        return max(self.plain, self.hedged or -math.inf) >= THRESHOLD_NATS


def source_test(evidence: SourceRun) -> SourceTest:
    """Both e-values of a refereed run."""
    run, n = evidence.run, evidence.run.stream.n_scored
    log_q = evidence.source.log_q[1:]
    allowance = n * MASS_NATS
    nats = run.ledger.nats[1:]
    plain = -run.nats - float(log_q.sum()) - allowance
    if not np.isfinite(nats).all():
        return SourceTest(plain, None, allowance)
    drawn = evidence.source.drawn[1:]
    return SourceTest(plain, mixture_log_e((-nats - log_q)[drawn]) - allowance, allowance)


def check_source(evidence: SourceRun, test: SourceTest, seed: int) -> Finding:
    """The status of SOURCE-1."""
    n = evidence.run.stream.n_scored
    numbers = {
        "plain_nats": test.plain,
        "hedged_nats": test.hedged,
        "needed_nats": THRESHOLD_NATS,
        "allowance_nats": test.allowance,
        "tokens": n,
        "seed": seed,
        "law": f"text sampled from {evidence.sampled_from}, ordinary ids, independent documents",
    }
    hedged = "not available" if test.hedged is None else f"{test.hedged:+.1f}"
    text = (
        f"against a source of known law ({n:,} targets, seed {seed}) the code saved"
        f" {test.plain:+.1f} nats (plain) and {hedged} (hedged);"
        f" {THRESHOLD_NATS:.1f} would refute it"
    )
    if test.refuted:
        text += ": causal, order or mass is broken; this test alone does not say which"
    status = Status.FAIL if test.refuted else Status.PASS
    return Finding("SOURCE-1", status, Level.REFEREE, text, evidence=(numbers,))
