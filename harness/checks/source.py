"""SOURCE-1 on an unmodified script: nobody beats the law that the stream was drawn from.

    plain    what the printed number saved against the source, less what rounding may have given
    hedged   the mean of prod(1 + l (p_t/q_t - 1)) over bets l, on all laws and on each alone

Both are lower bounds of ln of an e-value of the *exact* scores, so that either beyond `needed` has
a probability of at most 1e-6 for the whole run, whatever honest code was scored. Subtracted first:
printed rounding (half a unit a token); a float32 accumulator's worst case; one 16-bit rounding a
token where the number or the scores were 16-bit; the tolerance of NORM-1; what the captured scores
save beyond the printed number. Captured scores are summed in float64.

Claims nothing (silent, with the reason): a number that was not rebuilt, or only to a gap; weights
that are unknown or negative; scores that are not finite. A script that scores in another alphabet
aligns with nothing, so it is silent too. Diagnostics are measured and convict nobody.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from harness.arrays import Floats
from harness.checks.mass import MASS_TOLERANCE
from harness.checks.source_law import (
    BFLOAT16_NATS,
    FLOAT32_EPSILON,
    NEEDED_NATS,
    hedged_log_e,
)
from harness.checks.status import Level, RuleStatus, Status
from harness.streams.drawn import LawStream
from harness.trace.printed_scores import Printed
from harness.trace.scored_positions import Counted, PerPosition, per_position, weights_known

GAP_TOLERANCE = 1e-3  # relative, between printed and rebuilt: issue 4's bound for a reconstruction
MASS_NATS = math.log1p(MASS_TOLERANCE)  # a token


@dataclass(frozen=True)
class SourceTest:
    """One printed number against the source; nats."""

    printed: Printed
    tokens: float  # counted positions, by weight
    saved: float  # as printed (else as captured), nothing subtracted; positive: impossible
    plain: float  # -inf when silent
    hedged: float
    allowance: float  # subtracted from the printed number
    needed: float  # evidence that refutes
    silent: str = ""  # why nothing is claimed

    @property
    def saved_per_token(self) -> float:
        """NaN without a counted token."""
        return self.saved / self.tokens if self.tokens else math.nan

    @property
    def refuted(self) -> bool:
        """Beyond chance."""
        return max(self.plain, self.hedged) >= self.needed


def source_test(
    printed: Printed,
    counted: Counted | None,
    law: LawStream,
    needed: float = NEEDED_NATS,  # one number convicts, so that nothing has to be shared
) -> SourceTest:
    """Both e-values of one printed number."""
    reason = why_silent(counted)
    if reason or counted is None:
        return _silent(printed, law, needed, reason)
    view = per_position(counted)
    log_q = law.log_q[view.position]
    source = float(view.weight @ -log_q)
    captured = float(view.weight @ view.nats)
    mean = float(np.average(counted.nats, weights=counted.weight))  # nats, as printed
    claim, fine, allowance = _claim(printed, view, captured, mean)
    resolution = MASS_NATS + half_unit_of(view.nats)  # (k,) nats
    beyond = max(0.0, claim - captured - fine)  # captured saves what was never printed
    summed = source - captured - float(view.weight @ resolution) - beyond
    tokens = float(view.weight.sum())
    return SourceTest(
        printed,
        tokens,
        saved=source - claim,
        plain=max(source - claim - allowance - tokens * MASS_NATS, summed),
        hedged=hedged_nats(view, law) - beyond,
        allowance=allowance,
        needed=needed,
    )


def why_silent(counted: Counted | None) -> str:
    """Why a number claims nothing; empty when it may."""
    if counted is None:
        return "the printed number could not be rebuilt from captured scores"
    if not weights_known(counted):
        return "the weights of the scores in the printed number are unknown"
    if not np.isfinite(counted.nats).all():
        return "some scores are not finite"
    if not abs(counted.gap) <= GAP_TOLERANCE:
        return f"captured scores and the printed number differ by {counted.gap:.2g} (relative)"
    return ""


def _silent(printed: Printed, law: LawStream, needed: float, reason: str) -> SourceTest:
    """Measured as if every position but the first counted alike; claims nothing."""
    tokens = len(law.tokens) - 1
    loss = math.nan if printed.nats_per_token is None else printed.nats_per_token
    saved = -float(law.log_q[1:].sum()) - loss * tokens
    return SourceTest(printed, tokens, saved, -math.inf, -math.inf, 0.0, needed, reason)


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
    explained = abs(total - captured) <= fine and not half_unit_of(view.nats).any()
    return total, fine, fine if explained else fine + tokens * BFLOAT16_NATS


def half_unit_of(
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


def hedged_nats(
    view: PerPosition,
    law: LawStream,
    mass: float = 1.0,  # of the hypothesis: no distribution weighs more
) -> float:
    """ln of the mean e-value over: all drawn positions, each law alone.

    The product grows with each ratio, so a worst-case rounding is taken off every ratio first.
    """
    resolution = MASS_NATS + half_unit_of(view.nats)
    log_ratios = view.log_p - law.log_q[view.position] - resolution - math.log(mass)
    drawn = law.drawn[view.position]
    law_of = law.law_of[view.position]
    present = [drawn & (law_of == k) for k in np.unique(law_of[drawn])]
    groups = [drawn] + (present if len(present) > 1 else [])
    logs = [hedged_log_e(log_ratios[group]) for group in groups]
    return float(logsumexp(logs) - math.log(len(logs)))


def check_source(
    tests: Sequence[SourceTest],
    convicts: Callable[[Printed], bool],  # the headline, or its candidates
    law: LawStream,
) -> RuleStatus:
    """SOURCE-1 from every printed number; only `convicts` decide."""
    heads = [t for t in tests if convicts(t.printed) and not t.printed.diagnostic]
    findings = tuple(_numbers(t, law, t in heads) for t in tests)
    speaking = [t for t in heads if not t.silent]
    if not speaking:
        reason = heads[-1].silent if heads else "no printed number is a headline"
        text = f"nothing claimed against the source: {reason}"
        return RuleStatus("SOURCE-1", Status.UNKNOWN, Level.BLACK_BOX, text, findings=findings)
    worst = max(speaking, key=lambda t: max(t.plain, t.hedged))
    status = Status.FAIL if worst.refuted else Status.PASS
    return RuleStatus("SOURCE-1", status, Level.BLACK_BOX, _text(worst, law), findings=findings)


def _text(test: SourceTest, law: LawStream) -> str:
    text = (
        f"{test.printed.tag}: saved {test.saved:+.1f} nats on {test.tokens:,.0f} tokens"
        f" ({test.saved_per_token:+.4f} a token) against a source of known law (seed {law.seed};"
        f" {', '.join(law.laws)}); certain {test.plain:+.1f} (plain), {test.hedged:+.1f} (hedged),"
        f" {test.needed:.1f} refutes"
    )
    return text + (": causality, order or mass is broken" if test.refuted else "")


def _numbers(test: SourceTest, law: LawStream, headline: bool) -> dict[str, object]:
    """JSON-ready."""
    return {
        "tag": test.printed.tag,
        "line": test.printed.line,
        "headline": headline,
        "saved_nats": _finite(test.saved),
        "saved_nats_per_token": _finite(test.saved_per_token),
        "tokens": test.tokens,
        "plain_nats": _finite(test.plain),
        "hedged_nats": _finite(test.hedged),
        "allowance_nats": test.allowance,
        "needed_nats": test.needed,
        "claims_nothing": test.silent,
        "seed": law.seed,
        "laws": list(law.laws),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
