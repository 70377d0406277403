"""A record's runs against another's: in nats a token and a byte, with the margin and without.

Guarantees: a loss a token is compared where both have it over as many tokens, as it is no measure
across tokenizers; each run's own value is used, from submission.json, else from the logs of the
runs that are claimed. Does not cover: whether the numbers are true.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from audits.contests import Contest
from harness.claims.record import Claims
from harness.claims.welch import Welch, bits_to_nats, reaches, welch, without_each

TOKEN, BYTE = "nats per token", "nats per byte"


@dataclass(frozen=True)
class Runs:
    """One side."""

    name: str
    nats_per_token: tuple[float, ...] = ()
    bits_per_byte: tuple[float, ...] = ()
    tokens: float | None = None


@dataclass(frozen=True)
class Comparison:
    """All tests of one pair."""

    new: Runs
    old: Runs
    tests: tuple[Welch, ...]
    without_each: tuple[float | None, ...]  # p in the last unit and without a margin
    notes: tuple[str, ...] = ()


def runs_of(claims: Claims) -> Runs:
    """What a folder gives."""
    logs, seeds = claims.supporting, claims.declared.seeds
    nats = [one.nats_per_token for one in seeds]
    bits = [one.bits_per_byte for one in seeds]
    heads = [log.headline for log in logs if log.headline]
    if not _known(nats):
        nats = [one.nats_per_token for one in heads]
    if not _known(bits):
        bits = [one.bits_per_byte for one in heads]
    if not _known(nats) and not _known(bits):
        declared = claims.declared
        bits = [one.value for one in (declared.bits_per_byte,) if one]
        nats = [one.value for one in (declared.nats_per_token,) if one]
    tokens = {value for log in logs if (value := log.value("tokens"))}
    return Runs(
        claims.folder, _known(nats), _known(bits), tokens.pop() if len(tokens) == 1 else None
    )


def _known(values: Sequence[float | None]) -> tuple[float, ...]:
    """All of them, or nothing."""
    found = tuple(value for value in values if value is not None)
    return found if len(found) == len(values) else ()


def runs_of_numbers(numbers: Sequence[float], contest: Contest) -> Runs:
    """In the unit of the contest's score."""
    if contest.score.unit == TOKEN:
        return Runs("the numbers given", nats_per_token=tuple(numbers))
    return Runs("the numbers given", bits_per_byte=tuple(numbers))


def compare(new: Runs, old: Runs, contest: Contest) -> Comparison:
    """Every test that both sides allow."""
    margin = contest.significance.margin
    tests: list[Welch] = []
    notes: list[str] = []
    last: tuple[Sequence[float], Sequence[float], str] | None = None
    for unit, one, other in _pairs(new, old):
        if unit == TOKEN and new.tokens != old.tokens and new.tokens and old.tokens:
            notes.append(
                f"{TOKEN} is not compared: {new.tokens:,.0f} tokens here, {old.tokens:,.0f} there"
            )
            continue
        tests += [welch(one, other, unit, m) for m in dict.fromkeys((0.0, margin))]
        last = (one, other, unit)
    if last is None:
        notes.append("the two have no number in one unit")
    each = without_each(*last) if last else ()
    return Comparison(new, old, tuple(tests), each, tuple(notes))


def _pairs(new: Runs, old: Runs) -> Iterator[tuple[str, Sequence[float], Sequence[float]]]:
    if new.nats_per_token and old.nats_per_token:
        yield TOKEN, new.nats_per_token, old.nats_per_token
    if new.bits_per_byte and old.bits_per_byte:
        yield BYTE, [*map(bits_to_nats, new.bits_per_byte)], [*map(bits_to_nats, old.bits_per_byte)]


def of_target(runs: Runs, contest: Contest) -> str:
    """Of a race: is the mean below the loss that has to be reached? Empty of any other contest."""
    target, values = contest.score.target, runs.nats_per_token
    if not target or not values:
        return ""
    mean = sum(values) / len(values)
    p = reaches(values, target)
    chance = "one run, so no p" if p is None else f"p = {p:.2g} that it is not below"
    return f"mean loss {mean:.5f} of {len(values)} runs, to be at most {target:g}: {chance}"
