"""What the tests of a battery came to, put together for whoever names the broken rules.

Guarantees: a proof about one stream rests on the record of that very run. Does not cover: which
rule it breaks (`attribution`).
"""

import numpy as np

from harness.checks.e_values import THRESHOLD_NATS
from harness.checks.mass_bound import mass_bound
from harness.checks.mass_cause import Cause, cause_of, target_in_key
from harness.checks.mass_requery import check_sums
from harness.checks.order import OrderView, order_view
from harness.checks.source import (
    SourceTest,
)
from harness.checks.status import Finding
from harness.checks.uniform import PureTest
from harness.checks.weighing import Weighing, beats_nothing, weighing
from harness.experiments.evidence import Evidence
from harness.experiments.run_name import FIRST_REQUERY, RunKind
from harness.streams.pure import is_pure
from harness.trace.script_run import ScriptRun
from harness.verdict.attribution import Proof


def battery_proof(evidence: Evidence, head: SourceTest | None, tail: int) -> Proof:
    """What the tests came to, for whoever names the broken rules."""
    base = evidence.base
    mass = mass_bound(base.scored, base.source, THRESHOLD_NATS) if head and head.refuted else 1.0
    softmax, depend = bool(base.softmax_width), _weights_depend_on_future(evidence)
    order, by_hand = order_of(base, tail), _by_hand(evidence)
    found = weighing_of(base, pure=is_pure(base.source))
    weighed = found is not None and found.proof is not None
    sums = _sums(evidence)
    none, causes = _uncounted(base), _causes(evidence)
    order_and_mass = order, mass, softmax, sums, causes
    more = weighed, none, by_hand, depend, evidence.unchanged
    return Proof(head, evidence.future, *order_and_mass, *more, held=evidence.held)


def pure_proof(evidence: Evidence, found: PureTest, tail: int) -> Proof:
    """What names a number that beats a pure law: the record of that very run."""
    run, test, causes = found.run, found.test, _causes(evidence)
    if not found.reproduced:
        weighed, sums = beats_nothing(run), _sums(evidence)
        return Proof(test, None, None, softmax=None, sums=sums, weighed=weighed, causes=causes)
    mass = mass_bound(run.scored, run.source, THRESHOLD_NATS)
    order, softmax = order_of(run, tail), bool(run.softmax_width)
    found_weighing = weighing_of(run, pure=True)
    weighed = found_weighing is not None and found_weighing.proof is not None
    none, sums = _uncounted(run), _sums(evidence)
    return Proof(
        *(test, evidence.future, order, mass, softmax, sums, causes, weighed, none),
        unchanged=evidence.unchanged,
    )


def _causes(evidence: Evidence) -> tuple[Cause, ...]:
    """Of a mass above one."""
    found = cause_of(evidence.sums)
    if found is None or found.rule != "NORM-2":
        return () if found is None else (found,)
    key = target_in_key(evidence.sums, evidence.base.source.tokens)
    return (found,) if key is None else (found, key)


def _uncounted(run: ScriptRun) -> int:
    """Tokens that the headline was divided by, beyond those whose scores add up to it."""
    scored = run.scored
    return scored.divided_by - len(scored.position) if scored and scored.divided_by else 0


def weighing_of(run: ScriptRun, *, pure: bool) -> Weighing | None:
    if run.headline is None or not run.finished:
        return None
    return weighing(run.headline, run.scored, run.source, pure=pure)


def _sums(evidence: Evidence) -> Finding:
    return check_sums(evidence.sums, evidence.skipped.get(FIRST_REQUERY, ""))


def order_of(base: ScriptRun, tail: int) -> OrderView | None:
    if base.scored is None or base.uses is None:
        return None
    scored, targets = base.scored, base.source.targets
    return order_view(scored, base.uses, targets, base.earlier, tail, scored.best)


def _weights_depend_on_future(evidence: Evidence) -> bool:
    """Whether later tokens changed the weights with which the counting began."""
    first, again = evidence.base.first_weights, evidence.get(RunKind.REPEAT)
    futures = evidence.all_of(RunKind.FUTURE).values()
    if not first or again is None or again.first_weights != first or not futures:
        return False
    return all(run.first_weights not in (0, first) for run in futures)


def _by_hand(evidence: Evidence) -> int:
    """Moved scores behind weights that a hand wrote and that later tokens changed."""
    base, again = evidence.base, evidence.get(RunKind.REPEAT)
    futures = evidence.all_of(RunKind.FUTURE).values()
    if evidence.future is None or again is None or not futures:
        return 0
    found = base.behind_a_write & (base.weights_behind == again.weights_behind)
    for run in futures:
        found &= ~np.isin(run.weights_behind, 0) & (run.weights_behind != base.weights_behind)
    return int(found[evidence.future.moved].sum())
