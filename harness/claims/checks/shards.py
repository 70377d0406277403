"""DATA-4 and the like: numbers of a log that a contest knows from runs where something was wrong.

Guarantees: a fingerprint is a warning, never a failure; it says whose it is. Does not cover: what
the shards hold.
"""

from collections.abc import Iterator, Mapping

from audits.contests import Contest
from harness.claims.finding import ClaimFinding, Standing
from harness.claims.record import Claims, Log, Place


def check(claims: Claims, contest: Contest) -> Iterator[ClaimFinding]:
    """One finding a fingerprint."""
    for suspect in contest.claims.suspects:
        for log in claims.supporting:
            places = tuple(_places(log, suspect.numbers))
            if len(places) == len(suspect.numbers):
                said = ", ".join(f"{name} {value:,.0f}" for name, value in suspect.numbers.items())
                text = f"{log.file}: {said}: {suspect.why}"
                yield ClaimFinding(suspect.rule, Standing.WARN, text, places)
                break


def _places(log: Log, numbers: Mapping[str, float]) -> Iterator[Place]:
    for name, value in numbers.items():
        number = log.last(name)
        if number is not None and number.value == value:
            yield number.place
