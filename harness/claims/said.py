"""A folder's claims for people and for programs.

Guarantees: the text and the object say the same findings; every number of the record is in the
object that `--json` prints, and of each log the last of a name in report.json.
Does not cover: escaping, which the command does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from audits.catalogue import RULES
from audits.contests import Contest
from harness.claims.against import Comparison, of_target, runs_of
from harness.claims.checks.denominator import implied_bytes
from harness.claims.finding import ClaimFinding, Standing
from harness.claims.record import Claims, Evaluation, Log, Number
from harness.claims.welch import CONFIDENCE, Welch

SHOWN = (Standing.FAIL, Standing.WARN, Standing.UNKNOWN, Standing.NOTE)
MEGA = 1e6
UNSEEN = (
    "Not seen here: whether the numbers are the script's own. Only a run tells (`scorefirst"
    " evaluate`)."
)


def under(finding: ClaimFinding, profile: str) -> Standing:
    """A failure of a rule that a profile only warns of, or tells, is that."""
    severity = RULES[finding.rule].severity[profile]
    order = list(Standing)
    weakest = {"fail": Standing.FAIL, "warn": Standing.WARN, "info": Standing.NOTE}[severity]
    return max(finding.standing, weakest, key=order.index)


def lines(
    claims: Claims,
    contest: Contest,
    findings: Sequence[ClaimFinding],
    profile: str,
    comparison: Comparison | None,
) -> Iterator[str]:
    """The screen."""
    yield f"{claims.folder} (contest {contest.name}, profile {profile})"
    for finding in findings:
        standing = under(finding, profile)
        if standing in SHOWN:
            yield f"  {standing.upper():8}{finding.rule}  {finding.message}{_at(finding)}"
    passed = [one.rule for one in findings if one.standing is Standing.PASS]
    if passed:
        yield f"  hold: {', '.join(dict.fromkeys(passed))}"
    for log in claims.supporting:
        yield f"  {_run(log)}"
    if target := of_target(runs_of(claims), contest):
        yield f"  {target}"
    if comparison is not None:
        yield from (f"  {line}" for line in _compared(comparison, contest))
    yield f"  {UNSEEN}"


def _at(finding: ClaimFinding) -> str:
    places = ", ".join(map(str, finding.places[:3]))
    return f" ({places})" if places else ""


def _run(log: Log) -> str:
    """One line a run."""
    parts = [f"{log.file}:"]
    if log.seed is not None:
        parts.append(f"seed {log.seed},")
    if log.headline is not None:
        parts.append(_score(log.headline))
    text, _ = implied_bytes(log)
    known = {
        "text {:.2f} MB": text / MEGA if text else None,
        "trained {:.1f} s": log.value("train_s"),
        "scored {:.1f} s": log.headline.seconds if log.headline else None,
        "{:,.0f} bytes": log.value("total_bytes"),
    }
    parts += [f"; {form.format(value)}" for form, value in known.items() if value is not None]
    return " ".join(parts).replace(" ;", ";")


def _score(one: Evaluation) -> str:
    said = []
    if one.bits_per_byte is not None:
        said.append(f"{one.bits_per_byte:.5f} bits per byte")
    if one.nats_per_token is not None:
        said.append(f"{one.nats_per_token:.5f} nats per token")
    return f"{', '.join(said)} ({one.tag}, line {one.place.line})"


def _compared(comparison: Comparison, contest: Contest) -> Iterator[str]:
    """The statistics."""
    new, old = comparison.new, comparison.old
    yield f"against {old.name}:"
    for test in comparison.tests:
        yield f"  {_test(test)}"
    known = [p for p in comparison.without_each if p is not None]
    if known:
        each = ", ".join(f"{p:.3g}" for p in known)
        yield f"  without each run in turn ({comparison.tests[-1].unit}, no margin): p = {each}"
    yield from (f"  {note}" for note in comparison.notes)
    if contest.significance.p and comparison.tests:
        yield f"  the contest asks for p < {contest.significance.p:g} beyond its margin"
    if not new.nats_per_token and not new.bits_per_byte:
        yield "  it claims no number that could be compared"


def _test(test: Welch) -> str:
    size = f"{test.difference:+.6f} {test.unit}, {len(test.new)} runs against {len(test.old)}"
    margin = f"margin {test.margin:g}" if test.margin else "no margin"
    if test.p is None or test.interval is None:
        return f"{size}, {margin}: {test.why}"
    low, high = test.interval
    return (
        f"{size}, {margin}: t = {test.t:.2f}, df = {test.freedom:.2f}, p = {test.p:.3g} (one-sided"
        f" Welch; {CONFIDENCE:.0%} of the difference {low:+.6f} to {high:+.6f})"
    )


# -------------------------------------------------------------------------------------------------
# for programs


def as_json(
    claims: Claims,
    findings: Sequence[ClaimFinding],
    comparison: Comparison | None = None,
    *,
    whole: bool = True,
) -> dict[str, Any]:
    """The record. `whole`: every number, instead of the last of each name."""
    declared = claims.declared
    return {
        "contest": claims.contest,
        "findings": [finding.as_json() for finding in findings],
        "declared": {
            "file": declared.file or None,
            "track": declared.track or None,
            "numbers": [_number(one) for one in declared.numbers.values()] if whole else [],
            "bits_per_byte": _value(declared.bits_per_byte),
            "nats_per_token": _value(declared.nats_per_token),
            "seeds": [asdict(one) | {"place": str(one.place)} for one in declared.seeds],
        },
        "logs": [_log(log, claims, whole=whole) for log in claims.logs],
        "readme": [_number(one) for one in claims.readme] if whole else [],
        "tokenizers": [asdict(one) for one in claims.tokenizers],
        "not_read": list(claims.notes),
        **({} if comparison is None else {"against": _comparison(comparison)}),
    }


def _value(number: Number | None) -> float | None:
    return None if number is None else number.value


def _number(number: Number) -> dict[str, Any]:
    return {"name": number.name, "value": number.value, "place": str(number.place)}


def _log(log: Log, claims: Claims, *, whole: bool) -> dict[str, Any]:
    shown = log.evaluations if whole else [one for one in log.evaluations if one == log.headline]
    numbers = [
        one for several in log.numbers.values() for one in (several if whole else several[-1:])
    ]
    text, _ = implied_bytes(log)
    return {
        "file": log.file,
        "seed": log.seed,
        "claimed": log in claims.supporting,
        "headline": None if log.headline is None else _evaluation(log.headline),
        "implied_bytes": text,
        "evaluations": [_evaluation(one) for one in shown],
        "numbers": [_number(one) for one in numbers],
        "words": dict(log.words),
        "settings": dict(log.settings) if whole else {},
    }


def _evaluation(one: Evaluation) -> dict[str, Any]:
    return {
        "tag": one.tag,
        "nats_per_token": one.nats_per_token,
        "bits_per_byte": one.bits_per_byte,
        "seconds": one.seconds,
        "diagnostic": one.diagnostic,
        "place": str(one.place),
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "old": comparison.old.name,
        "tests": [asdict(test) | {"difference": test.difference} for test in comparison.tests],
        "without_each": list(comparison.without_each),
        "notes": list(comparison.notes),
    }
