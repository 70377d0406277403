"""What the louder runs say: with noise in weights, with higher learning rates.

Guarantees: a proof there is one for the script, since causality and order hold for every value of
its weights and for every rate; a doubt there is *unknown*. What passes there gives the power.
A number that beats its source at a higher rate is named only where the hooks, too, saw an update
use a token before its score: it is one more e-value on the same stream.
"""

from collections.abc import Iterator
from dataclasses import replace

from harness.checks.first_row import check_first_row
from harness.checks.future import check_future
from harness.checks.order import OrderView
from harness.checks.source import source_test
from harness.checks.status import Finding
from harness.experiments.evidence import Evidence
from harness.verdict.attribution import Proof, name_violations

HOW = "with noise in its weights"


AT_LENGTH = "with rows as long as the contest scores them and noise in its weights"


def check_louder(evidence: Evidence) -> Iterator[Finding]:
    """CAUSAL-1 with noise, and at the contest's own length: a pass, a proof or a doubt."""
    for how, louder in ((HOW, evidence.louder), (AT_LENGTH, evidence.at_length)):
        if louder is None:
            continue
        if louder.future.nothing_moved or len(louder.future.moved):
            yield _told(how, check_future(louder.future))
        if (row := check_first_row(louder.first_row)) is not None:
            yield _told(how, row)


def check_rates(
    evidence: Evidence,
    order: OrderView | None,  # of the run with higher rates
) -> Iterator[Finding]:
    """The rule behind a proof at higher rates."""
    rates = evidence.rates
    if rates is None or rates.base.headline is None:
        return
    head = source_test(rates.base.headline, rates.base.scored, rates.base.source)
    moved = rates.future is not None and len(rates.future.moved) > 0
    early = order is not None and order.explains is not None
    if not moved and not (head.refuted and early):
        return
    proof = Proof(head, rates.future, order, softmax=bool(rates.base.softmax_width))
    how = f"with learning rates {rates.times:g} times as high"
    found = name_violations(proof)
    if moved and rates.future is not None and not found:
        found = [check_future(rates.future)]
    for finding in found:
        yield _told(how, finding)


def _told(how: str, finding: Finding) -> Finding:
    return replace(finding, message=f"{how}, {finding.message}")
