"""From the evidence of a battery to findings, and the reasons why some of them say less.

    black box      SOURCE-1 (mixed sources; uniform ids alone), CAUSAL-1 (another future), NORM-1
                   (two tokens, re-queries), NORM-5, BYTES-1, PASS-3 (a weighed mean; tokens
                   that never count), and the rule that a proof is named after
    instrumented   the order rules, NORM-1 by construction, PASS-3, DATA-2, DATA-6: what the hooks
                   saw

Guarantees: only a black-box proof fails a rule; what the hooks saw names it, or leaves a rule
*unknown*. A pass whose class showed no power on this script is *unknown*, with the number.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from harness.checks.byte_spread import check_spread
from harness.checks.bytes import OF_ALL, check_bytes
from harness.checks.bytes import RULE as BYTES
from harness.checks.conduct import check_conduct
from harness.checks.e_values import THRESHOLD_NATS
from harness.checks.file_reads import check_reads
from harness.checks.first_row import RULE as FIRST_ROW
from harness.checks.first_row import check_first_row
from harness.checks.fitted import check_fitted
from harness.checks.future import check_future
from harness.checks.left_out import check_left_out
from harness.checks.mass_bound import mass_bound
from harness.checks.mass_cause import cause_of
from harness.checks.mass_requery import check_sums
from harness.checks.mass_softmax import check_softmax
from harness.checks.order import RULES as ORDER_RULES
from harness.checks.order import OrderView, check_order, check_weights_still, order_view
from harness.checks.places import scored_at, used_then_scored
from harness.checks.power import CLASSES, Power, require_power
from harness.checks.ranks import RULE as RANKS
from harness.checks.ranks import check_ranks
from harness.checks.raw_bytes import check_raw_bytes
from harness.checks.replayed import check_read_later
from harness.checks.source import (
    NOT_REBUILT,
    SourceTest,
    check_source,
    inconclusive_reason,
    source_test,
)
from harness.checks.status import Finding, Level, Reason, Status
from harness.checks.two_tokens import check_pair
from harness.checks.uniform import PureTest, check_uneven, check_uniform, refuted
from harness.checks.weighing import Weighing, beats_nothing, check_weighing, weighing
from harness.experiments.evidence import Evidence
from harness.experiments.run_name import FIRST_REQUERY, RunKind, RunName
from harness.protocol.schema import EventKind
from harness.streams.pure import is_pure
from harness.trace.printed_scores import Printed, kind
from harness.trace.script_run import ScriptRun
from harness.verdict.attribution import Proof, name_violations
from harness.verdict.louder import check_louder, check_rates
from harness.verdict.measured_power import measured_power
from harness.verdict.undone import undone

EARLY_USE = ("ORDER-1", "ORDER-2", "CAUSAL-3", "PASS-1")  # an update used what it then scored
FROM_FUTURE = ("CAUSAL-1", "CAUSAL-5")  # scores moved with later tokens
LOWER = 1e-3  # relative: more than roundings of one number differ


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
    proof = _proof(evidence, head, tail)
    pure = (refuted(evidence.pure), refuted(evidence.uneven))
    found_pure = next((one for one in pure if one is not None), None)
    named = name_violations(proof)
    if not named and found_pure is not None:
        named = name_violations(_pure_proof(evidence, found_pure, tail))
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
        *_given(evidence.remembered or check_read_later(base)),
        _future(evidence),
        *_given(check_first_row(evidence.first_row)),
        *_given(check_fitted(evidence.fitted)),
        *_given(check_ranks(evidence.ranks)),
        *check_louder(evidence),
        *_rates(evidence, tail),
        *_given(check_pair(evidence.pair)),
        *_seen_inside(base, proof),
        *_given(spread),
        *_bytes(base, token_bytes, is_byte),
        *_given(check_raw_bytes(evidence.get(RunKind.RAW_TEXT), evidence.raw_text)),
        *check_reads(base),
        *check_conduct(_runs(evidence), evidence.refuted or pure is not None),
    )
    findings = tuple(_placed(finding, evidence, proof) for finding in found)
    reasons = (
        *_rival(evidence, tests),
        *broken_capture(base),
        *_powerless(powers, base),
        *undone(evidence.lacks),
        *_other_bits(evidence, spread),
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


def _proof(evidence: Evidence, head: SourceTest | None, tail: int) -> Proof:
    """What the tests came to, for whoever names the broken rules."""
    base = evidence.base
    mass = mass_bound(base.scored, base.source, THRESHOLD_NATS) if head and head.refuted else 1.0
    softmax, depend = bool(base.softmax_width), _weights_depend_on_future(evidence)
    order, by_hand = _order(base, tail), _by_hand(evidence)
    found = _weighing(base, pure=is_pure(base.source))
    weighed = found is not None and found.proof is not None
    sums = _sums(evidence)
    none, cause = _uncounted(base), cause_of(evidence.sums)
    order_and_mass = order, mass, softmax, sums, cause
    return Proof(head, evidence.future, *order_and_mass, weighed, none, by_hand, depend)


def _pure_proof(evidence: Evidence, found: PureTest, tail: int) -> Proof:
    """What names a number that beats a pure law: the record of that very run."""
    run, test, cause = found.run, found.test, cause_of(evidence.sums)
    if not found.reproduced:
        weighed, sums = beats_nothing(run), _sums(evidence)
        return Proof(test, None, None, softmax=None, sums=sums, weighed=weighed, cause=cause)
    mass = mass_bound(run.scored, run.source, THRESHOLD_NATS)
    order, softmax = _order(run, tail), bool(run.softmax_width)
    found_weighing = _weighing(run, pure=True)
    weighed = found_weighing is not None and found_weighing.proof is not None
    none, sums = _uncounted(run), _sums(evidence)
    return Proof(test, evidence.future, order, mass, softmax, sums, cause, weighed, none)


def _uncounted(run: ScriptRun) -> int:
    """Tokens that the headline was divided by, beyond those whose scores add up to it."""
    scored = run.scored
    return scored.divided_by - len(scored.position) if scored and scored.divided_by else 0


def _weighing(run: ScriptRun, *, pure: bool) -> Weighing | None:
    if run.headline is None or not run.finished:
        return None
    return weighing(run.headline, run.scored, run.source, pure=pure)


def _weighings(evidence: Evidence) -> Iterator[Finding]:
    """Of the base run, and where a number beats uniform ids by its weights."""
    yield from check_weighing(_weighing(evidence.base, pure=is_pure(evidence.base.source)))
    for one in evidence.pure:
        yield from check_weighing(_weighing(one.run, pure=True))


def _sums(evidence: Evidence) -> Finding:
    return check_sums(evidence.sums, evidence.skipped.get(FIRST_REQUERY, ""))


def _bytes(
    base: ScriptRun, token_bytes: npt.NDArray[np.int64], is_byte: npt.NDArray[np.bool_]
) -> Iterator[Finding]:
    if base.headline is not None:
        yield check_bytes(base.headline, base.scored, token_bytes, base.source.starts, is_byte)


def _other_bits(evidence: Evidence, spread: Finding | None) -> Iterator[Reason]:
    """A mixture's bits tell of no denominator. (#1785 prints the loss of the model beside the bits
    of the mixture.)
    """
    base = evidence.base
    if spread and spread.status is Status.FAIL and base.headline in evidence.unexplained:
        why = "but the bits are those of a mixture over bytes (NORM-5)"
    elif not base.finished:
        why = "but the run broke off, and the number that it stands for may come later"
    else:
        return
    for rule in (BYTES, OF_ALL):
        yield Reason(rule, Status.FAIL, Status.UNKNOWN, why, Level.BLACK_BOX)


def _rival(evidence: Evidence, tests: Sequence[SourceTest]) -> Iterator[Reason]:
    """A lower number that is no diagnostic may be the claim, unless submission.json names the
    headline; where nobody rebuilt it, it was not examined. (#2098 prints its byte mixture's score
    in front of the plain one.) One that is printed last, in words of its own, and that no honest
    code can have, is the claim or a curiosity: only a person can tell.
    """
    base = evidence.base
    if base.headline is not None and kind(base.headline) in evidence.declared:
        return
    rival = next((n for n in base.numbers if _rivals(n, base)), None)
    if rival is None:
        yield from _impossible_last(base, tests)
        return
    why = (
        f"but {rival.tag} is printed too, is lower than the headline and was not rebuilt from"
        " captured scores: which of them is claimed is not known"
    )
    yield Reason("SOURCE-1", Status.PASS, Status.UNKNOWN, why, Level.BLACK_BOX)


def _impossible_last(base: ScriptRun, tests: Sequence[SourceTest]) -> Iterator[Reason]:
    head = base.headline
    if head is None:
        return
    for test in tests:
        last = test.printed
        if last.line > head.line and not last.diagnostic and test.refuted and _lower(last, head):
            why = (
                f"but {last.tag} is printed behind it, and no honest code has such a score: which"
                " of them is claimed is not known"
            )
            yield Reason("SOURCE-1", Status.PASS, Status.UNKNOWN, why, Level.BLACK_BOX)
            return


def _lower(number: Printed, head: Printed) -> bool:
    pairs = (
        (number.bits_per_byte, head.bits_per_byte),
        (number.nats_per_token, head.nats_per_token),
    )
    return any(a and b and a < b * (1 - LOWER) for a, b in pairs)


def _rivals(number: Printed, base: ScriptRun) -> bool:
    head = base.headline
    if head is None or number.diagnostic or not inconclusive_reason(base.passes.get(number.line)):
        return False
    return _lower(number, head)


def _rates(evidence: Evidence, tail: int) -> Iterator[Finding]:
    rates = evidence.rates
    yield from check_rates(evidence, None if rates is None else _order(rates.base, tail))


def _order(base: ScriptRun, tail: int) -> OrderView | None:
    if base.scored is None or base.uses is None:
        return None
    expected = np.arange(1, len(base.source.tokens))
    return order_view(base.scored, base.uses, expected, base.earlier, tail)


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


def broken_capture(base: ScriptRun) -> Iterator[Reason]:
    """Hooks that broke may not have seen what would have been there to see."""
    for error in base.faults[:1]:
        for rule in (*ORDER_RULES, "ORDER-7"):
            why = f"but the recording broke: {error}"
            yield Reason(rule, Status.PASS, Status.UNKNOWN, why, Level.INSTRUMENTED)


def _powerless(powers: dict[str, Power], base: ScriptRun) -> Iterator[Reason]:
    """A pass needs power, where the class could have shown at all."""
    for rule, name in CLASSES.items():
        power = powers.get(rule)
        applies = power is None or power.applies
        if applies and (name != "adaptation" or base.adapts):
            yield require_power(rule, power)
