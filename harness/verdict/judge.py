"""From the evidence of a battery to one status a rule.

    black box      SOURCE-1, CAUSAL-1 (the flip), BYTES-1, and the rule that a proof is named after
    instrumented   the order rules, NORM-1 by construction, PASS-3, DATA-2, DATA-6: what the hooks
                   saw

Guarantees: only a black-box proof fails a rule; what the hooks saw names it, or leaves a rule
*unknown*. A pass whose class showed no power on this script is *unknown*, with the number.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from harness.checks.byte_spread import check_spread
from harness.checks.bytes import check_bytes
from harness.checks.file_reads import check_reads
from harness.checks.future import check_flip
from harness.checks.mass_bound import mass_bound
from harness.checks.mass_requery import check_sums
from harness.checks.order import OrderView, check_order, check_weights_still, order_view
from harness.checks.power import (
    ADAPTATION,
    CLASSES,
    Power,
    adaptation_power,
    carried,
    moves,
    table_power,
    temper,
    training_power,
    without_training,
    without_updates,
)
from harness.checks.source import SourceTest, check_source, source_test, why_silent
from harness.checks.source_law import NEEDED_NATS
from harness.checks.status import Level, RuleStatus, Status
from harness.checks.two_tokens import check_pair
from harness.experiments.plan import Evidence
from harness.protocol.schema import EventKind
from harness.trace.printed_scores import Printed, kind
from harness.trace.script_run import ScriptRun
from harness.verdict.attribution import Proof, name_violations

LOWER = 1e-3  # relative: more than roundings of one number differ


@dataclass(frozen=True)
class Judged:
    """What the report shows."""

    statuses: list[RuleStatus]
    powers: list[Power]
    tests: list[SourceTest]  # one a printed number of the base run


def judge(
    evidence: Evidence,
    token_bytes: npt.NDArray[np.int64],  # (T,) canonical bytes of each token in its context
    is_byte: npt.NDArray[np.bool_],  # (T,) byte pieces
    tail: int,  # positions that a canonical truncation may drop at the end
) -> Judged:
    """Every rule that the battery can speak about."""
    base = evidence.base
    tests = [_source(base, number.line) for number in base.numbers]
    head = next((t for t in tests if t.printed is base.headline and base.finished), None)
    order = _order(base, tail)
    mass = mass_bound(base.counted, base.law, NEEDED_NATS) if head and head.refuted else 1.0
    sums = check_sums(evidence.sums, evidence.skipped.get("asked", ""))
    softmax, fitted = bool(base.softmax_width), _fitted(evidence)
    proof = Proof(head, evidence.flip, order, mass, softmax, sums, _by_hand(evidence), fitted)
    powers = _powers(evidence)
    # A script that broke off may not have come to the number it stands for.
    convicts = base.headline if base.finished else None
    source = check_source(tests, lambda number: number is convicts, base.law)
    statuses = _named(_doubted(source, evidence), name_violations(proof))
    statuses += [_flip(evidence), *([pair] if (pair := check_pair(evidence.pair)) else [])]
    statuses += [_tempered(status, powers, base) for status in _passes(evidence, order, head, sums)]
    statuses += _bytes(evidence, token_bytes, is_byte)
    statuses += [*check_reads(base), *_network(evidence)]
    # What still passes here was seen with power, or the script does nothing of the kind.
    statuses = [replace(s, powered=s.status is Status.PASS) for s in statuses]
    return Judged(statuses, list(dict.fromkeys(powers.values())), tests)


def _bytes(
    evidence: Evidence, token_bytes: npt.NDArray[np.int64], is_byte: npt.NDArray[np.bool_]
) -> list[RuleStatus]:
    """BYTES-1, and NORM-5 where a claim is not explained; a mixture's bits tell of no denominator.
    (#1785 prints the loss of the model beside the bits of the mixture.)
    """
    base = evidence.base
    spread = check_spread(evidence.get("long words"), evidence.get("letters"), evidence.unexplained)
    found = [spread] if spread else []
    if base.headline is None:
        return found
    bytes_ = check_bytes(base.headline, base.counted, token_bytes, base.law.starts, is_byte)
    but = ""
    if spread and spread.status is Status.FAIL and base.headline in evidence.unexplained:
        but = "the bits are those of a mixture over bytes (NORM-5)"
    elif not base.finished:
        but = "the run broke off, and the number that it stands for may come later"
    if but and bytes_.status is Status.FAIL:
        message = f"{bytes_.message}; but {but}"
        bytes_ = replace(bytes_, status=Status.UNKNOWN, message=message)
    return [*found, bytes_]


def _named(source: RuleStatus, named: list[RuleStatus]) -> list[RuleStatus]:
    """SOURCE-1 and what its proof is named after; where nothing names it, it says what is open."""
    others = [status for status in named if status.rule != "SOURCE-1"]
    if others or not named:
        return [source, *others]
    (undecided,) = named
    text = f"{source.message}; {undecided.message}"
    return [replace(source, message=text, findings=source.findings + undecided.findings)]


def _source(base: ScriptRun, line: int) -> SourceTest:
    number = next(n for n in base.numbers if n.line == line)
    return source_test(number, base.passes.get(line), base.law)


def _doubted(source: RuleStatus, evidence: Evidence) -> RuleStatus:
    """A lower number that is no diagnostic may be the claim, unless submission.json names the
    headline; where nobody rebuilt it, it was not examined. (#2098 prints its byte mixture's score
    in front of the plain one.)
    """
    base = evidence.base
    if base.headline is not None and kind(base.headline) in evidence.declared:
        return source
    rival = next((n for n in base.numbers if _rivals(n, base)), None)
    if source.status is not Status.PASS or rival is None:
        return source
    text = (
        f"{rival.tag} is printed too, is lower than the headline and was not rebuilt from captured"
        f" scores: which of them is claimed is not known; of the headline: {source.message}"
    )
    return replace(source, status=Status.UNKNOWN, message=text)


def _rivals(number: Printed, base: ScriptRun) -> bool:
    head = base.headline
    if head is None or number.diagnostic or not why_silent(base.passes.get(number.line)):
        return False
    pairs = (
        (number.bits_per_byte, head.bits_per_byte),
        (number.nats_per_token, head.nats_per_token),
    )
    return any(a and b and a < b * (1 - LOWER) for a, b in pairs)


def _order(base: ScriptRun, tail: int) -> OrderView | None:
    if base.counted is None or base.uses is None:
        return None
    expected = np.arange(1, len(base.law.tokens))
    return order_view(base.counted, base.uses, expected, base.earlier, tail)


def _fitted(evidence: Evidence) -> bool:
    """Whether later tokens changed the weights with which the counting began."""
    first, again = evidence.base.first_weights, evidence.get("repeat")
    flips = evidence.flips.values()
    if not first or again is None or again.first_weights != first or not flips:
        return False
    return all(flip.first_weights not in (0, first) for flip in flips)


def _by_hand(evidence: Evidence) -> int:
    """Moved scores behind weights that a hand wrote and that later tokens changed."""
    base, again, flips = evidence.base, evidence.get("repeat"), evidence.flips.values()
    if evidence.flip is None or again is None or not flips:
        return 0
    found = base.behind_a_write & (base.weights_behind == again.weights_behind)
    for flip in flips:
        found &= ~np.isin(flip.weights_behind, 0) & (flip.weights_behind != base.weights_behind)
    return int(found[evidence.flip.moved].sum())


def _flip(evidence: Evidence) -> RuleStatus:
    if evidence.flip is not None:
        return check_flip(evidence.flip)
    why = "; ".join(f"{run}: {why}" for run, why in evidence.skipped.items())
    text = f"no later token was changed ({why or 'a run of the battery did not come to its end'})"
    return RuleStatus("CAUSAL-1", Status.UNKNOWN, Level.BLACK_BOX, text)


def _passes(
    evidence: Evidence, order: OrderView | None, head: SourceTest | None, sums: RuleStatus
) -> list[RuleStatus]:
    """What the hooks saw, where nothing was proved against it."""
    found = list(check_order(order))
    base = evidence.base
    if base.counted is not None and len(base.batches):
        writes = base.capture.events(EventKind.WRITE)
        found.append(check_weights_still(base.batches, writes))
    if base.capture.errors:
        text = f"the capture broke: {base.capture.errors[0]}"
        return [RuleStatus(s.rule, Status.UNKNOWN, Level.INSTRUMENTED, text) for s in found]
    if head is not None and not head.silent and evidence.base.counted is not None:
        found.append(_norm(evidence.base, head, sums))
    return found


def _norm(base: ScriptRun, head: SourceTest, sums: RuleStatus) -> RuleStatus:
    """NORM-1 by construction, a cross-entropy of a softmax over the whole alphabet, or by sums."""
    assert base.counted is not None
    width = base.softmax_width
    if width and not head.refuted:
        text = (
            f"every counted score is the cross-entropy of a softmax over {width:,} entries, and the"
            " source was not beaten"
        )
        return _seen("NORM-1", Status.PASS, text)
    text = f"the counted scores are mixed outside a softmax; {sums.message}"
    light = sums.status is Status.PASS and not head.refuted
    status = Status.PASS if light else Status.UNKNOWN
    return replace(_seen("NORM-1", status, text), findings=sums.findings)


def _tempered(status: RuleStatus, powers: dict[str, Power], base: ScriptRun) -> RuleStatus:
    """A pass without power is *unknown*, where the class could have shown at all."""
    name = CLASSES.get(status.rule)
    if name is None or (name == "adaptation" and not base.adapts):
        return status
    return temper(status, powers.get(status.rule))


def _powers(evidence: Evidence) -> dict[str, Power]:
    """By rule; a class whose control did not run is not there."""
    found: dict[str, Power] = {}
    base = evidence.base
    if base.counted is not None and not base.adapts:
        found |= dict.fromkeys(ADAPTATION, without_updates(NEEDED_NATS))
    if base.counted is not None and not base.softmax_width and evidence.table_entries:
        found["NORM-1"] = table_power(base.law, evidence.table_entries, NEEDED_NATS)
    trained, copied = evidence.get("training"), evidence.get("adaptation")
    if not evidence.trains:
        found["ORDER-2"] = without_training(NEEDED_NATS)
    if trained is not None and trained.headline is not None:
        power = training_power(_source(trained, trained.headline.line))
        found["ORDER-2"] = _seen_by_moves(power, base, trained)
    if copied is not None and base.adapts:
        power = adaptation_power(copied.counted, copied.law, NEEDED_NATS)
        power = _reached(power, copied, evidence)
        found |= dict.fromkeys(ADAPTATION, power)
    return found


def _seen_by_moves(power: Power, base: ScriptRun, trained: ScriptRun) -> Power:
    """The flip sees training too: had validation tokens been trained on, scores would move."""
    if base.counted is None or trained.counted is None:
        return power
    return power.with_moves(moves(base.counted, trained.counted)[1], "the scores")


def _reached(power: Power, copied: ScriptRun, evidence: Evidence) -> Power:
    """Updates that carry early tokens into later scores would carry the score's own token too."""
    pairs = ((evidence.base, evidence.get("past")), (copied, evidence.get("beginnings")))
    seen = [power.with_moves(carried(a, b, evidence.reach), "later scores") for a, b in pairs if b]
    return max(seen, key=lambda p: p.by_moves, default=power)


def _network(evidence: Evidence) -> list[RuleStatus]:
    capture = evidence.base.capture
    tried = sorted({str(t) for t in capture.text[capture.events(EventKind.NETWORK)]})
    if not tried:
        return []
    text = f"tried to reach {', '.join(tried[:5])}; the walls refused it"
    return [_seen("DATA-6", Status.UNKNOWN, text)]


def _seen(rule: str, status: Status, text: str) -> RuleStatus:
    return RuleStatus(rule, status, Level.INSTRUMENTED, text)
