"""Foresight: statistics and choices that validation tokens made before they were counted.

Guarantees: what was made in the loop that scores, or of tokens that the same total counts before,
is no foresight; a statistic of the uncut stream always is.
Does not cover: which tokens of an earlier loop were counted, where totals are plain numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from audits.facts.events import Accumulation, Statistic, TokenRead
from audits.facts.labels import (
    ACCUMULATED,
    FITTED,
    KEPT,
    OUTPUT,
    REALISED,
    STATISTIC,
    TOKENS,
    ids,
    kinds,
)
from audits.facts.trace import Trace
from audits.flow import common_loops, reports, scores, with_ancestors


@dataclass(frozen=True, slots=True)
class Foresight:
    """A statistic, and the first score that it shaped."""

    statistic: Statistic
    score: Accumulation
    in_headline: bool  # whether the last score, the one that is reported, was shaped, too
    of_weights: bool  # a checkpoint, or a stopping point: several trained models are compared


def foreseen(trace: Trace) -> Iterator[Foresight]:
    """In order of the statistics."""
    shaped: dict[tuple[int, bool], list[Accumulation]] = {}
    for score in _shapeable(trace):
        for label in score.labels:
            if label.kind in (STATISTIC, FITTED, KEPT):
                shaped.setdefault((label.id, label.kind == KEPT), []).append(score)
    last = max((one.moment.position for one in scores(trace)), default=0)
    for (number, of_weights), found in sorted(shaped.items()):
        statistic = trace.statistics[number]
        found.sort(key=lambda one: one.moment.position)
        ahead = [one for one in found if _ahead(trace, statistic, one)]
        if ahead:
            in_headline = any(one.moment.position >= last for one in ahead)
            yield Foresight(statistic, ahead[0], in_headline, of_weights)


def of_their_own(trace: Trace) -> Iterator[tuple[Statistic, Accumulation]]:
    """Statistics of the very tokens that are predicted, in the distribution that scores them."""
    for score in scores(trace):
        wanted = targets_of(trace, score)
        for number in sorted(ids(score.labels, FITTED)):
            one = trace.statistics[number]
            earlier = one.moment.position < score.moment.position
            same_round = common_loops(one.moment, score.moment)
            if one.direct and earlier and same_round and one.reads and one.reads <= wanted:
                yield one, score


def chosen_by_their_own(trace: Trace) -> Iterator[tuple[Statistic, Accumulation]]:
    """Choices among candidates by what they cost on the very tokens that are scored with them."""
    for score in scores(trace):
        wanted: frozenset[int] | None = None
        for number in sorted(ids(score.labels, STATISTIC) | ids(score.labels, FITTED)):
            one = trace.statistics[number]
            earlier = one.moment.position < score.moment.position
            if one.choice and earlier and common_loops(one.moment, score.moment):
                wanted = targets_of(trace, score) if wanted is None else wanted
                if one.reads & wanted:
                    yield one, score


def targets_of(trace: Trace, score: Accumulation) -> frozenset[int]:
    """The pieces, cut in the loop that scores, that hold what is predicted; cut again, too."""
    aims = ids(score.labels, TOKENS) & trace.targets
    rounds = set(score.moment.loops)
    found = {one for one in with_ancestors(trace, aims) if trace.reads[one].home & rounds}
    places = {place for one in found if (place := _place(trace.reads[one]))}
    again = {number for number, one in enumerate(trace.reads) if _place(one) in places}
    return frozenset(found | again)


def _place(read: TokenRead) -> tuple[object, ...] | None:
    """Where a piece lies, where that is written out: of what, in which loops, from and to where."""
    bounds = read.bounds
    written = bool(bounds.lower and bounds.upper and read.loops)
    return (read.parents, read.loops, bounds.lower, bounds.upper) if written else None


def _shapeable(trace: Trace) -> Iterator[Accumulation]:
    """Scores; of reports, which hold whatever met their total, only what shaped a loss."""
    yield from scores(trace)
    for report in reports(trace):
        if not ids(report.labels, ACCUMULATED):
            yield report


def _ahead(trace: Trace, statistic: Statistic, score: Accumulation) -> bool:
    if statistic.moment.position > score.moment.position:
        return False
    scored_in = set(score.moment.loops)
    if statistic.state:
        return not common_loops(statistic.moment, score.moment) and not _scores(trace, statistic)
    if statistic.loops & scored_in and not statistic.choice:
        return False
    within = common_loops(statistic.moment, score.moment)
    if not statistic.choice and (statistic.whole or _of_more(trace, statistic, scored_in)):
        return statistic.direct or not within
    if within:
        return False
    if not statistic.moment.loops and not score.moment.loops and not statistic.choice:
        return False  # of the very batch that is scored, for all that can be told
    return not _counted(trace, statistic, score)


def _scores(trace: Trace, statistic: Statistic) -> bool:
    """Whether losses are added up in one of its loops."""
    return any(
        common_loops(one.moment, statistic.moment)
        and (REALISED in kinds(one.labels) or one.worth is not None)
        for one in trace.accumulations
    )


def _of_more(trace: Trace, statistic: Statistic, scored_in: set[int]) -> bool:
    """Whether its tokens were cut outside the loop that scores, which then cuts smaller pieces."""
    reads = [trace.reads[read] for read in statistic.reads]
    return bool(scored_in and reads) and all(
        scored_in.isdisjoint(one.home) and not one.single for one in reads
    )


def _counted(trace: Trace, statistic: Statistic, score: Accumulation) -> bool:
    """Whether the total that the score is part of had counted in the statistic's loops before."""
    return any(
        other.into & score.into
        and other.moment.position < statistic.moment.position
        and OUTPUT in kinds(other.labels)
        for other in trace.accumulations
    )
