"""What a scan comes to, in sentences, and its exit code.

Guarantees: what was not judged, not read to its end, or may not be the submission is said, and is
never a pass; "no known violation" is said only where everything was read and judged by every rule,
and nothing, new or known, needs a person.
Does not cover: the findings themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from audits.findings import Role
from audits.output.view import Reservation, ReservationKind, View
from audits.rules import CHECKS

OK, FAILURES, MISUSE, NOTHING, UNPARSED = range(5)
NO_FINDING: Final = (
    "No known violation found. Reading code never shows that a submission is honest."
)


def exit_code(view: View) -> int:
    """Failures first; then what keeps a scan from being a pass."""
    if view.failed:
        return FAILURES
    kinds = {one.kind for one in view.reservations}
    if kinds & {ReservationKind.UNREADABLE, ReservationKind.PARTLY}:
        return UNPARSED
    return NOTHING if kinds or view.nothing or not view.reports else OK


def sentences(view: View) -> list[str]:
    """One for each thing that a reader has to know beside the numbers; paths are not escaped."""
    said = [*not_judged(view), *_undecided(view), *_for_a_person(view)]
    left_out = [*_left_out(view)]
    if said or left_out or view.counts["fail"]:
        return [*said, *left_out]
    return [NO_FINDING]


def _left_out(view: View) -> Iterator[str]:
    if others := len(set(CHECKS) - set(view.rules)):
        rules = f"{others} other rule{' was' if others == 1 else 's were'}"
        yield (
            f"{rules} left out by --select or --ignore: nothing is said of"
            f" {'it' if others == 1 else 'them'}."
        )


def not_judged(view: View) -> Iterator[str]:
    """What comes before all else: where nothing can be said."""
    for message in view.nothing:
        yield f"Nothing was judged there: {message}."
    if unjudged := view.reservations_of(ReservationKind.UNJUDGED):
        yield (
            f"No score was recognised in {_listed(unjudged)}, so no rule could be judged there."
            if view.judged
            else f"Nothing was judged: no score was recognised in {_listed(unjudged)}."
        )
    if view.reservations_of(ReservationKind.UNREADABLE):
        yield "What could not be read was not judged."
    if partly := view.reservations_of(ReservationKind.PARTLY):
        yield f"What was not read was not judged: {_listed(partly)} was read only in part."


def _undecided(view: View) -> Iterator[str]:
    for report in view.reports:
        folder = report.root or "the folder"
        if report.beside:
            listed = ", ".join(file.path for file in report.beside)
            yield (
                f"Undecided: {folder} also starts {listed}, which may be what gives its score;"
                " nothing in there can fail it; --entry FILE names the one."
            )
        elif count := sum(file.role == Role.CANDIDATE for file in report.files):
            yield (
                f"Undecided: any of {count} files may be what {folder} submits, so none of them can"
                " fail it; --entry FILE names the one."
            )


def _for_a_person(view: View) -> Iterator[str]:
    """Nothing where the failures say it."""
    counts = view.counts
    warned, known = counts["warn"], counts.get("known", 0)
    if counts["fail"] or not (warned or known):
        return
    people = f"{warned} warning{' needs' if warned == 1 else 's need'} a person"
    old = f"{known} finding{' is' if known == 1 else 's are'} known from the baseline"
    if warned and known:
        yield f"Nothing new failed; {people}, and {old}."
    else:
        yield f"Nothing failed; {people}." if warned else f"Nothing new was found; {old}."


def _listed(reservations: list[Reservation]) -> str:
    first, *others = reservations
    return f"{first.path} and {len(others)} more" if others else first.path
