"""SOURCE-1, refereed or run as submitted: nobody beats the source that the stream was drawn from.

    plain    what the printed number saved against the source, less what rounding may have given
    mixture  the mean of prod(1 + l (p_t/q_t - 1)) over bets l, on all distributions and each

Both are lower bounds of ln of an e-value of the *exact* scores, so that either beyond the threshold
has a probability of at most 1e-6 for a run, whatever honest code was scored. Subtracted first:
printed rounding (half a unit a token); a float32 accumulator's worst case; one 16-bit rounding a
token where the number or the scores were 16-bit; the tolerance of NORM-1; what the captured scores
save beyond the printed number. Captured scores are summed in float64.

Inconclusive, with the reason: a number that was not rebuilt, or only to a gap; weights
that are unknown or negative; scores that are not finite. A script that scores in another alphabet
aligns with nothing, so it is inconclusive too. Diagnostics are measured and decide nothing.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from audits.facts.documented.printed_scores import Printed
from harness.checks.e_values import (
    BFLOAT16_NATS,
    FLOAT32_EPSILON,
    MASS_NATS,
    N_TESTS,
    THRESHOLD_NATS,
    mixture_log_e,
    score_rounding,
)
from harness.checks.status import Finding, Level, Status
from harness.referee.ledger_pass import ledger_pass
from harness.referee.run import SourceRun
from harness.streams.drawn import SourceStream
from harness.trace.scored_positions import PerPosition, ScoredPass, per_position, weights_known

NOT_REBUILT = (
    "the printed number could not be rebuilt from the scores that were recorded, so that nothing of"
    " it could be tested"
)
GAP_TOLERANCE = 1e-3  # relative, between printed and rebuilt
REFEREED = Printed(0, "the refereed scores", "", None, None, 0.0, diagnostic=False)


@dataclass(frozen=True)
class SourceTest:
    """One printed number against the source; nats."""

    printed: Printed
    tokens: float  # scored positions, by weight
    below_source: float  # as printed (else as captured), nothing subtracted; positive: impossible
    plain: float  # log e-value; -inf when inconclusive
    mixture: float  # log e-value
    allowance: float  # subtracted from the printed number, mass tolerance included
    threshold: float  # log e-value that refutes
    inconclusive: str = ""  # why nothing is said

    @property
    def below_source_per_token(self) -> float:
        """NaN without a scored token."""
        return self.below_source / self.tokens if self.tokens else math.nan

    @property
    def cost(self) -> str:
        """In words."""
        return against_source(self.below_source)

    @property
    def log_e(self) -> float:
        """The better of both."""
        return max(self.plain, self.mixture)

    @property
    def refuted(self) -> bool:
        """Beyond chance."""
        return self.log_e >= self.threshold


def source_test(
    printed: Printed,
    scored: ScoredPass | None,
    stream: SourceStream,
    threshold: float = THRESHOLD_NATS,  # one number decides in each run
) -> SourceTest:
    """Both e-values of one printed number."""
    reason = inconclusive_reason(scored)
    if reason or scored is None:
        return _inconclusive(printed, stream, threshold, reason)
    view = per_position(scored)
    log_q = stream.log_q[view.position]
    source = float(view.weight @ -log_q)
    captured = float(view.weight @ view.nats)
    mean = float(np.average(scored.nats, weights=scored.weight))  # nats, as printed
    claim, fine, rounding = _claim(printed, view, captured, mean)
    resolution = MASS_NATS + score_rounding(view.nats)  # (k,) nats
    beyond = max(0.0, claim - captured - fine)  # captured saves what was never printed
    summed = source - captured - float(view.weight @ resolution) - beyond
    tokens = float(view.weight.sum())
    allowance = rounding + tokens * MASS_NATS
    return SourceTest(
        printed,
        tokens,
        below_source=source - claim,
        plain=max(source - claim - allowance, summed),
        mixture=_bets(scored, view, stream) - beyond,
        allowance=allowance,
        threshold=threshold,
    )


def _bets(scored: ScoredPass, view: PerPosition, stream: SourceStream) -> float:
    """Where places are inferred, a bet on a token may be settled by its neighbour's probability:
    none is made, but where all probabilities are the same.
    """
    log_q = stream.log_q[view.position]
    if getattr(scored, "inferred", False) and len(log_q) and np.ptp(log_q) > 0:
        return -math.inf
    return mixture_nats(view, stream)


def inconclusive_reason(scored: ScoredPass | None) -> str:
    """Why a number claims nothing; empty when it may."""
    if scored is None:
        return NOT_REBUILT
    if not weights_known(scored):
        return "the weights of the scores in the printed number are unknown"
    if not np.isfinite(scored.nats).all():
        return "some scores are not finite"
    if not abs(scored.gap) <= GAP_TOLERANCE:
        return f"captured scores and the printed number differ by {scored.gap:.2g} (relative)"
    return ""


def _inconclusive(
    printed: Printed, stream: SourceStream, threshold: float, reason: str
) -> SourceTest:
    """Measured as if every position but the first counted alike; claims nothing."""
    tokens = len(stream.tokens) - 1
    loss = math.nan if printed.nats_per_token is None else printed.nats_per_token
    below = -float(stream.log_q[1:].sum()) - loss * tokens
    return SourceTest(printed, tokens, below, -math.inf, -math.inf, 0.0, threshold, reason)


def _claim(
    printed: Printed, view: PerPosition, captured: float, mean: float
) -> tuple[float, float, float]:
    """Nats: the printed total; what rounding in full precision explains; what is subtracted.

    Where weights were cut, the total is that of the captured scores, off by as much a token as the
    printed mean is off the rebuilt one.
    """
    tokens = float(view.weight.sum())
    if printed.nats_per_token is None:
        return captured, 0.0, 0.0  # nothing printed in nats: the captured scores stand alone
    total = captured + (printed.nats_per_token - mean) * tokens
    fine = tokens * printed.half_unit + len(view.nats) * FLOAT32_EPSILON * abs(total)
    explained = abs(total - captured) <= fine and not score_rounding(view.nats).any()
    return total, fine, fine if explained else fine + tokens * BFLOAT16_NATS


def mixture_nats(
    view: PerPosition,
    stream: SourceStream,
    mass: float = 1.0,  # of the hypothesis: no distribution weighs more
) -> float:
    """ln of the mean e-value over: all drawn positions, each distribution alone.

    The product grows with each ratio, so a worst-case rounding is taken off every ratio first.
    """
    resolution = MASS_NATS + score_rounding(view.nats)
    log_ratios = view.log_p - stream.log_q[view.position] - resolution - math.log(mass)
    drawn = stream.drawn[view.position]
    distribution_of = stream.distribution_of[view.position]
    present = [drawn & (distribution_of == k) for k in np.unique(distribution_of[drawn])]
    groups = [drawn] + (present if len(present) > 1 else [])
    logs = [mixture_log_e(log_ratios[group]) for group in groups]
    return float(logsumexp(logs) - math.log(len(logs)))


def check_refereed(run: SourceRun) -> Finding:
    """SOURCE-1 of a refereed run: the ledger is the claim."""
    test = source_test(REFEREED, ledger_pass(run.run.ledger), run.source)
    return check_source([test], lambda number: True, run.source, Level.REFEREE)


def check_source(
    tests: Sequence[SourceTest],
    decides: Callable[[Printed], bool],  # the headline, or its candidates
    stream: SourceStream,
    level: Level = Level.BLACK_BOX,
) -> Finding:
    """SOURCE-1 from every printed number; only those that `decides` names fail it."""
    heads = [t for t in tests if decides(t.printed) and not t.printed.diagnostic]
    findings = tuple(numbers(t, stream, headline=t in heads) for t in tests)
    speaking = [t for t in heads if not t.inconclusive]
    if not speaking:
        reason = heads[-1].inconclusive if heads else "no printed number is a headline"
        return Finding("SOURCE-1", Status.UNKNOWN, level, reason, findings)
    worst = max(speaking, key=lambda t: t.log_e)
    status = Status.FAIL if worst.refuted else Status.PASS
    detail = _detail(worst, stream)
    return Finding("SOURCE-1", status, level, _sentence(worst), findings, detail=detail)


def _sentence(test: SourceTest) -> str:
    """With the number that decided."""
    if test.refuted:
        poor = "" if test.below_source > 0 else ", though the total is poor"
        return (
            f"of {test.tokens:,.0f} synthetic tokens some were scored impossibly well{poor}: log"
            f" e-value {test.log_e:.1f}, and honest code exceeds {test.threshold:.1f} at most once"
            " in a million runs"
        )
    return (
        f"{test.tokens:,.0f} synthetic tokens cost {test.cost}, which honest"
        " code can reach: nothing is refuted"
    )


def against_source(below_nats: float) -> str:
    """In words; nobody honest comes out far below."""
    side = "below" if below_nats > 0 else "above"
    return f"{abs(below_nats):,.1f} nats {side} the source's code length"


def _detail(test: SourceTest, stream: SourceStream) -> str:
    text = (
        f"{test.printed.tag}: {test.cost} in all"
        f" ({abs(test.below_source_per_token):.4f} a"
        f" token; seed {stream.seed}; {', '.join(stream.distributions)}); log e-value"
        f" {test.plain:.1f} (of the total), {test.mixture:.1f} (of bets on single tokens),"
        f" threshold {test.threshold:.1f} (ln of {N_TESTS} million: {N_TESTS} tests share one"
        " chance in a million)"
    )
    more = "; causality, order or mass is broken: this test alone does not say which"
    return text + (more if test.refuted else "")


def numbers(test: SourceTest, stream: SourceStream, *, headline: bool) -> dict[str, object]:
    """JSON-ready."""
    return {
        "tag": test.printed.tag,
        "line": test.printed.line,
        "headline": headline,
        "saved_nats": _finite(test.below_source),
        "saved_nats_per_token": _finite(test.below_source_per_token),
        "tokens": test.tokens,
        "plain_nats": _finite(test.plain),
        "hedged_nats": _finite(test.mixture),
        "allowance_nats": test.allowance,
        "needed_nats": test.threshold,
        "claims_nothing": test.inconclusive,
        "seed": stream.seed,
        "laws": list(stream.distributions),
        "law": ", ".join(stream.distributions),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
