"""Order and overlap: the questions that rules ask of a trace.

Guarantees: two pieces of the stream overlap only when one was cut from the other.
Does not cover: index arithmetic, so "other tokens" is never claimed, only "the very same tokens".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from audits.facts.events import Accumulation, Change, Moment, Region
from audits.facts.labels import (
    ACCUMULATED,
    OUTPUT,
    REGION,
    TOKENS,
    Label,
    ids,
    kinds,
)
from audits.facts.trace import Trace
from audits.facts.worth import UNCHANGED, Worth


def scores(trace: Trace) -> Iterator[Accumulation]:
    """Totals of losses that end up as bits per byte; where the folder tells which number it
    submits, those in it.
    """
    for number in sorted(trace.scored):
        if trace.submitted is None or Label(ACCUMULATED, number) in trace.submitted:
            yield trace.accumulations[number]


def every_score(trace: Trace) -> Iterator[Accumulation]:
    """The same with what is beside the submitted number, for what a score may clear."""
    for number in sorted(trace.scored):
        yield trace.accumulations[number]


def results(trace: Trace) -> Iterator[Accumulation]:
    """Scores, and losses that become bits without having been summed up step by step.

    A report holds whatever flowed into its total, so it says what a number is made of, but
    nothing about order.
    """
    yield from scores(trace)
    yield from reports(trace)


def reports(trace: Trace) -> list[Accumulation]:
    """Losses at their turn into bits; of a submitted number, those that are in it as a whole."""
    submitted = trace.submitted
    if submitted is None:
        return trace.reports
    return [
        one
        for one in trace.reports
        if {label for label in one.labels if label.kind in (OUTPUT, ACCUMULATED)} <= submitted
    ]


def headlines(trace: Trace) -> Iterator[Accumulation]:
    """Scores; of what was never summed, only the last report: others are log lines."""
    yield from scores(trace)
    if found := reports(trace):
        yield max(found, key=lambda one: one.moment.position)


def changed(trace: Trace) -> Iterator[tuple[Accumulation, Worth, Change]]:
    """Results in which a token's code length, or its probability, is not what it was."""
    seen: set[int] = set()
    for result in headlines(trace):
        worth = result.worth
        if worth is not None and worth.change != UNCHANGED and worth.change not in seen:
            seen.add(worth.change)
            yield result, worth, trace.changes[worth.change]


def classes_used(trace: Trace) -> set[str]:
    """The classes, and functions, that scores come out of; but of passes that were given other
    things than the bare tokens, as models of noise are."""
    found = list(results(trace))
    outputs = frozenset(number for one in found for number in ids(one.labels, OUTPUT))
    echoed = {number for echo in trace.echoes for number in echo.outputs}
    outputs -= trace.altered | echoed
    passes = {name for number in outputs for name in trace.passes.get(number, ())}
    return passes | {one.site.function for one in found}


def first_results(found: Iterable[Accumulation], kind: str) -> Iterator[tuple[int, Accumulation]]:
    """The ids that labels of a kind carry into results, each with the first result it is in."""
    seen: set[int] = set()
    for result in found:
        for number in sorted(ids(result.labels, kind) - seen):
            seen.add(number)
            yield number, result


def recordings(trace: Trace) -> Iterator[Accumulation]:
    """Totals of losses that may be a score; a generous reading, used only to clear."""
    for number in sorted(trace.reported | trace.converted):
        if OUTPUT in kinds(trace.accumulations[number].labels):
            yield trace.accumulations[number]


def share_loop(a: Moment, b: Moment) -> bool:
    return bool(a.loops and b.loops and a.loops[0] == b.loops[0])


def common_loops(*moments: Moment) -> tuple[int, ...]:
    shared = [loop for loop in moments[0].loops if all(loop in one.loops for one in moments)]
    return tuple(shared)


def same_tokens(trace: Trace, used: frozenset[Label], scored: frozenset[Label]) -> bool:
    """Whether what was scored is the very piece that was used, or was cut out of it.

    The other way round proves nothing: a cut of the scored piece may be its context only.
    """
    return bool(ids(used, TOKENS) & with_ancestors(trace, ids(scored, TOKENS)))


def with_ancestors(trace: Trace, reads: frozenset[int]) -> frozenset[int]:
    seen: set[int] = set()
    waiting = list(reads)
    while waiting:
        read = waiting.pop()
        if read not in seen:
            seen.add(read)
            waiting += trace.reads[read].parents
    return frozenset(seen)


def cut_by(trace: Trace, labels: frozenset[Label]) -> frozenset[int]:
    """The loops whose variable says which tokens these are."""
    reads = with_ancestors(trace, ids(labels, TOKENS))
    return frozenset(loop for read in reads for loop in trace.reads[read].loops)


def regions(trace: Trace, labels: frozenset[Label]) -> frozenset[Region]:
    """What restricts a loss to some positions."""
    return frozenset(trace.regions[number] for number in ids(labels, REGION))
