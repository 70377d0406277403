"""Why findings of a battery say less than they seem to: another number that may be the claim, a
recording that broke, a control that showed nothing, bits of another kind.

Guarantees: no reason ever makes a failure. Does not cover: work that was left undone (`undone`).
"""

from collections.abc import Iterator, Sequence

from audits.catalogue import RULES
from audits.facts.documented.printed_scores import Printed, kind
from harness.checks.bytes import OF_ALL
from harness.checks.bytes import RULE as BYTES
from harness.checks.order import RULES as ORDER_RULES
from harness.checks.power import CLASSES, Power, require_power
from harness.checks.source import (
    SourceTest,
    inconclusive_reason,
)
from harness.checks.status import Finding, Level, Reason, Status
from harness.experiments.evidence import Evidence
from harness.trace.script_run import ScriptRun

LOWER = 1e-3  # relative: more than roundings of one number differ


def rival(evidence: Evidence, tests: Sequence[SourceTest]) -> Iterator[Reason]:
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
        yield from impossible_last(base, tests)
        return
    why = (
        f"but {rival.tag} is printed too, is lower than the headline and was not rebuilt from"
        " captured scores: which of them is claimed is not known"
    )
    yield Reason("SOURCE-1", Status.PASS, Status.UNKNOWN, why, Level.BLACK_BOX)


def impossible_last(base: ScriptRun, tests: Sequence[SourceTest]) -> Iterator[Reason]:
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


def other_bits(evidence: Evidence, spread: Finding | None) -> Iterator[Reason]:
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


def broken_capture(base: ScriptRun) -> Iterator[Reason]:
    """Hooks that broke may not have seen what would have been there to see; those that were taken
    off say nothing at all.
    """
    for error in base.faults[:1]:
        for rule in RULES if base.touched else (*ORDER_RULES, "ORDER-7"):
            why = f"but the recording broke: {error}"
            yield Reason(rule, Status.PASS, Status.UNKNOWN, why, Level.INSTRUMENTED)


def powerless(powers: dict[str, Power], base: ScriptRun) -> Iterator[Reason]:
    """A pass needs power, where the class could have shown at all."""
    for rule, name in CLASSES.items():
        power = powers.get(rule)
        applies = power is None or power.applies
        if applies and (name != "adaptation" or base.adapts):
            yield require_power(rule, power)
