"""Every check of a claim; each takes the record and the contest, and gives what it finds.

Guarantees: what a contest does not declare is not claimed against. Does not cover: whether a number
is the script's own; only a run shows that.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from audits.contests import Contest
from harness.claims.checks import (
    agreement,
    denominator,
    packaging,
    seeds,
    shards,
    size,
    times,
    tokenizer,
)
from harness.claims.finding import ClaimFinding, Standing
from harness.claims.record import Claims

Check = Callable[[Claims, Contest], Iterable[ClaimFinding]]

CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "denominator": denominator.check,
        "size": size.check,
        "times": times.check,
        "shards": shards.check,
        "seeds": seeds.check,
        "agreement": agreement.check,
        "packaging": packaging.check,
        "tokenizer": tokenizer.check,
    }
)
_WORST = {standing: place for place, standing in enumerate(Standing)}


def check_claims(claims: Claims, contest: Contest) -> tuple[ClaimFinding, ...]:
    """All of them, the worst first; without rules that the contest does not have."""
    found = [one for check in CHECKS.values() for one in check(claims, contest)]
    kept = (one for one in found if one.rule not in contest.exempt)
    return tuple(sorted(kept, key=lambda one: (_WORST[one.standing], one.rule)))
