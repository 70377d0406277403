"""From the evidence of a battery to findings, and the reasons why some of them say less.

    black box      SOURCE-1 (mixed sources; uniform ids alone), CAUSAL-1 (another future), NORM-1
                   (two tokens, re-queries), NORM-5, BYTES-1, PASS-3 (a weighed mean; tokens
                   that never count), and the rule that a proof is named after
    instrumented   the order rules, NORM-1 by construction, PASS-3, DATA-2, DATA-6: what the hooks
                   saw

Guarantees: only a black-box proof fails a rule; what the hooks saw names it, or leaves a rule
*unknown*. A pass whose class showed no power on this script is *unknown*, with the number.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from audits.facts.documented.printed_scores import Printed
from harness.checks.byte_spread import check_spread
from harness.checks.bytes import check_bytes
from harness.checks.conduct import check_conduct
from harness.checks.counted_training import check_training
from harness.checks.file_reads import check_reads
from harness.checks.first_row import RULE as FIRST_ROW
from harness.checks.first_row import check_first_row
from harness.checks.fitted import Fitted, check_fitted, chosen_by_part
from harness.checks.future import check_future
from harness.checks.left_out import check_left_out
from harness.checks.mass_softmax import check_softmax
from harness.checks.order import check_order, check_weights_still
from harness.checks.places import scored_at, used_then_scored
from harness.checks.power import Power
from harness.checks.ranks import RULE as RANKS
from harness.checks.ranks import check_ranks
from harness.checks.raw_bytes import check_raw_bytes
from harness.checks.replayed import check_read_later
from harness.checks.rows_alone import check_rows_alone
from harness.checks.source import (
    NOT_REBUILT,
    SourceTest,
    check_source,
    source_test,
)
from harness.checks.status import Finding, Level, Reason, Status
from harness.checks.trained_ahead import check_trained_ahead, named_by_training
from harness.checks.two_tokens import check_pair
from harness.checks.uniform import check_uneven, check_uniform, refuted
from harness.checks.weighing import check_weighing
from harness.experiments.evidence import Evidence
from harness.experiments.plan import ITERATIONS
from harness.experiments.run_name import RunKind, RunName
from harness.protocol.schema import EventKind
from harness.streams.pure import is_pure
from harness.trace.script_run import ScriptRun
from harness.verdict.attribution import Proof, name_mass, name_violations
from harness.verdict.louder import check_louder, check_rates
from harness.verdict.measured_power import measured_power
from harness.verdict.proofs import battery_proof, order_of, pure_proof, weighing_of
from harness.verdict.reservations import broken_capture, other_bits, powerless, rival
from harness.verdict.undone import undone

EARLY_USE = ("ORDER-1", "ORDER-2", "CAUSAL-3", "PASS-1")  # an update used what it then scored
FROM_FUTURE = ("CAUSAL-1", "CAUSAL-5")  # scores moved with later tokens


@dataclass(frozen=True)
class Judged:
    """What the report shows."""

    findings: tuple[Finding, ...]
    reasons: tuple[Reason, ...]  # in the order in which they apply
    powers: tuple[Power, ...]
    tests: tuple[SourceTest, ...]  # one a printed number of the base run


def judge(
    evidence: Evidence,
    token_bytes: npt.NDArray[np.int64],  # (T,) canonical bytes of each token in its context
    is_byte: npt.NDArray[np.bool_],  # (T,) byte pieces
    tail: int,  # positions that a canonical truncation may drop at the end
) -> Judged:
    """Every rule that the battery can speak about."""
    base = evidence.base
    tests = tuple(_source(base, number) for number in base.numbers)
    # A script that broke off may not have come to the number it stands for.
    decides = base.headline if base.finished else None
    head = next((t for t in tests if t.printed is decides), None)
    proof = battery_proof(evidence, head, tail)
    pure = (refuted(evidence.pure), refuted(evidence.uneven))
    found_pure = next((one for one in pure if one is not None), None)
    named = name_violations(proof)
    if not named and found_pure is not None:
        named = name_violations(pure_proof(evidence, found_pure, tail))
    if not named and evidence.too_heavy:
        named = name_mass(proof)
    powers = measured_power(evidence)
    long, short = evidence.get(RunKind.MULTI_BYTE), evidence.get(RunKind.SINGLE_BYTE)
    spread = check_spread(long, short, evidence.unexplained)
    found = (
        check_source(tests, lambda number: number is decides, base.source),
        *_given(check_uniform(evidence.pure, rebuilt=head is not None and not head.inconclusive)),
        *_given(check_uneven(evidence.uneven)),
        *check_left_out(evidence.left_out),
        *named,
        *_weighings(evidence),
        *_given(evidence.uncounted),
        *_given(evidence.remembered or evidence.reloaded or check_read_later(base)),
        *_given(evidence.shards_counted),
        _future(evidence),
        *_given(check_first_row(evidence.first_row)),
        *_given(
            named_by_training(
                check_fitted(_chosen(evidence), evidence.best), evidence.get(RunKind.NOISY)
            )
        ),
        *_given(check_trained_ahead(evidence.all_of(RunKind.UNIFORM).values())),
        *_given(check_ranks(evidence.ranks)),
        *check_louder(evidence),
        *_given(check_rows_alone(evidence.carried)),
        *_rates(evidence, tail),
        *_given(check_pair(evidence.pair)),
        *_seen_inside(base, proof),
        *_given(spread),
        *_bytes(base, token_bytes, is_byte),
        *_given(check_raw_bytes(evidence.get(RunKind.RAW_TEXT), evidence.raw_text)),
        *([] if evidence.shards_counted else check_reads(base)),
        *_given(check_training(evidence.clock, base, evidence.get(RunKind.UNIFORM, 1), ITERATIONS)),
        *check_conduct(_runs(evidence), evidence.refuted or found_pure is not None),
    )
    findings = tuple(_placed(finding, evidence, proof) for finding in found)
    reasons = (
        *rival(evidence, tests),
        *broken_capture(base),
        *powerless(powers, base),
        *undone(evidence.lacks),
        *other_bits(evidence, spread),
    )
    return Judged(findings, reasons, tuple(dict.fromkeys(powers.values())), tests)


def _placed(finding: Finding, evidence: Evidence, proof: Proof) -> Finding:
    """With the lines of the script that hooks saw behind it."""
    if finding.status is Status.PASS:
        return finding
    breaks = proof.order.breaks if proof.order else ()
    early = next((b for b in breaks if b.rule == finding.rule and b.rule in EARLY_USE), None)
    if early is not None:
        return replace(finding, steps=used_then_scored(evidence.base, early.positions))
    row, future = evidence.first_row, evidence.future
    if finding.rule == FIRST_ROW and row is not None and row.moved:
        return replace(finding, steps=scored_at(evidence.base, np.array([row.position])))
    two, ranks = evidence.get(RunKind.RANKS), evidence.ranks
    if finding.rule == RANKS and two is not None and ranks is not None and ranks.future is not None:
        return replace(finding, steps=used_then_scored(two, ranks.future.moved))
    if finding.rule in FROM_FUTURE and future is not None and len(future.moved):
        return replace(finding, steps=scored_at(evidence.base, future.moved))
    return finding


def _runs(evidence: Evidence) -> list[ScriptRun]:
    """All that were made, the base run first."""
    return [evidence.base, *(run for run in evidence.runs.values() if run is not evidence.base)]


def _given(finding: Finding | None) -> tuple[Finding, ...]:
    return () if finding is None else (finding,)


def _source(base: ScriptRun, number: Printed) -> SourceTest:
    return source_test(number, base.passes.get(number.line), base.source)


def _weighings(evidence: Evidence) -> Iterator[Finding]:
    """Of the base run, and where a number beats uniform ids by its weights."""
    yield from check_weighing(weighing_of(evidence.base, pure=is_pure(evidence.base.source)))
    for one in evidence.pure:
        yield from check_weighing(weighing_of(one.run, pure=True))


def _bytes(
    base: ScriptRun, token_bytes: npt.NDArray[np.int64], is_byte: npt.NDArray[np.bool_]
) -> Iterator[Finding]:
    if base.headline is not None:
        yield check_bytes(base.headline, base.scored, token_bytes, base.source.starts, is_byte)


def _rates(evidence: Evidence, tail: int) -> Iterator[Finding]:
    rates = evidence.rates
    yield from check_rates(evidence, None if rates is None else order_of(rates.base, tail))


def _chosen(evidence: Evidence) -> Fitted | None:
    """Under futures of other kinds; where none was asked for, and the record shows the best of
    several scores each time, under the first ones.
    """
    found, cut, scored = evidence.future, evidence.cut, evidence.base.scored
    if evidence.fitted is not None or not evidence.best:
        return evidence.fitted
    if found is None or cut is None or scored is None:
        return None
    return chosen_by_part(scored, found, cut)


def _future(evidence: Evidence) -> Finding:
    if evidence.future is not None:
        return check_future(evidence.future)
    why = _why_unchanged(evidence)
    text = why if why == NOT_REBUILT else f"no later token was changed: {why}"
    return Finding("CAUSAL-1", Status.UNKNOWN, Level.BLACK_BOX, text)


def _why_unchanged(evidence: Evidence) -> str:
    names = [RunName(RunKind.REPEAT), RunName(RunKind.FUTURE, 1)]
    skipped = dict.fromkeys(evidence.skipped[n] for n in names if n in evidence.skipped)
    if skipped:
        return "; ".join(skipped)
    broken = [str(n) for n in names if n in evidence.runs and not evidence.runs[n].finished]
    if broken:
        return f"of the runs for it, {' and '.join(broken)} did not come to an end"
    return NOT_REBUILT


def _seen_inside(base: ScriptRun, proof: Proof) -> Iterator[Finding]:
    """What the hooks saw, where nothing was proved against it."""
    yield from check_order(proof.order)
    if base.scored is not None and len(base.batches):
        yield check_weights_still(base.batches, base.capture.events(EventKind.WRITE))
    head = proof.source
    rebuilt = head is not None and not head.inconclusive and base.scored is not None
    if rebuilt and not base.faults:
        assert proof.sums is not None
        rows = base.scored is not None and base.scored.inferred
        yield check_softmax(base.softmax_width, proof.refuted, proof.sums, rows)
