"""Order and overlap: the questions that rules ask of a trace.

Guarantees: an update is licensed only by a score that came before it in the same iteration of a
shared loop; two pieces of the stream overlap only when one was cut from the other.
Does not cover: index arithmetic, so "other tokens" is never claimed, only "the very same tokens".
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.effects.regions import ANY_NAME, SPELLED
from audits.facts.events import Accumulation, Moment, Site, Update
from audits.facts.labels import (
    ACCUMULATED,
    ADAPTED,
    OUTPUT,
    REGION,
    TOKENS,
    Label,
    ids,
    kinds,
)
from audits.facts.trace import Trace


def scores(trace: Trace) -> Iterator[Accumulation]:
    """Totals of losses that end up as bits per byte: they met a byte count and ln 2."""
    for number in sorted(trace.reported & trace.converted):
        yield trace.accumulations[number]


def results(trace: Trace) -> Iterator[Accumulation]:
    """Scores, and losses that become bits without having been summed up step by step.

    A report holds whatever flowed into its total, so it says what a number is made of, but
    nothing about order.
    """
    yield from scores(trace)
    yield from trace.reports


def recordings(trace: Trace) -> Iterator[Accumulation]:
    """Totals of losses that may be a score; a generous reading, used only to acquit."""
    for number in sorted(trace.reported | trace.converted):
        if OUTPUT in kinds(trace.accumulations[number].labels):
            yield trace.accumulations[number]


def share_loop(a: Moment, b: Moment) -> bool:
    return bool(a.loops and b.loops and a.loops[0] == b.loops[0])


def licensed(trace: Trace, update: Update) -> bool:
    """Whether a score was recorded before the update, in the same iteration."""
    return any(
        share_loop(record.moment, update.moment) and record.moment.position < update.moment.position
        for record in recordings(trace)
    )


def unclear(trace: Trace, update: Update) -> bool:
    """Whether something else that looks like recording a loss comes before the update.

    The training loss itself, summed for a log line, is not such a thing.
    """
    own = ids(update.labels, OUTPUT)
    return any(
        share_loop(record.moment, update.moment)
        and record.moment.position < update.moment.position
        and OUTPUT in kinds(record.labels)
        and ids(record.labels, OUTPUT).isdisjoint(own)
        for record in trace.accumulations
    )


def reaches(update_number: int, record: Accumulation) -> bool:
    """Whether the score was computed with weights that the update changed."""
    return Label(ADAPTED, update_number) in record.labels


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


def regions(trace: Trace, labels: frozenset[Label]) -> frozenset[str]:
    """The position slices that restrict a loss, as written in the code."""
    return frozenset(trace.regions[number] for number in ids(labels, REGION))


def same_positions(trace: Trace, update: Update, score: Accumulation) -> bool:
    """Whether the fitted loss covers scored positions: it is unrestricted, or restricted alike."""
    fitted, scored = regions(trace, update.labels), regions(trace, score.labels)
    return not fitted or any(_same_region(one, other) for one in fitted for other in scored)


def _same_region(one: str, other: str) -> bool:
    """Written alike, or with bounds that are computed alike."""
    (text, *bounds), (other_text, *others) = one.split(SPELLED), other.split(SPELLED)
    if text == other_text:
        return True
    if len(bounds) != 2 or len(others) != 2 or bounds[0] in ("", ANY_NAME):
        return False
    ends_alike = bounds[1] == others[1] or ANY_NAME in (bounds[1], others[1])
    return bounds[0] == others[0] and ends_alike


def rounds_discarded(trace: Trace, update: Update) -> tuple[Site, Accumulation] | None:
    """Rounds of training on the same tokens, of which only the last one's losses are recorded.

    Gives the place that throws the earlier rounds away, and the score.
    """
    return _reset_each_round(trace, update) or _recorded_last(trace, update)


def _reset_each_round(trace: Trace, update: Update) -> tuple[Site, Accumulation] | None:
    """A total set back in each round of a loop, trained in that loop, and used only after it."""
    for reset in trace.resets:
        for number, record in enumerate(trace.accumulations):
            if reset.total not in record.into:
                continue
            rounds = common_loops(reset.moment, record.moment, update.moment)
            outside = rounds and rounds[-1] not in reset.total.home
            if not outside or not same_tokens(trace, update.labels, record.labels):
                continue
            for score in scores(trace):
                holds = Label(ACCUMULATED, number) in score.labels
                if holds and rounds[-1] not in score.moment.loops:
                    return reset.site, score
    return None


def _recorded_last(trace: Trace, update: Update) -> tuple[Site, Accumulation] | None:
    """A total that only the last round of a loop adds to, trained on in every round."""
    for score in scores(trace):
        for loop in score.moment.last_only:
            if loop not in update.moment.loops or loop in update.moment.last_only:
                continue
            if loop in cut_by(trace, update.labels):
                continue  # the loop goes through the stream; its last round is the stream's end
            if same_tokens(trace, update.labels, score.labels):
                return score.site, score
    return None


def cut_by(trace: Trace, labels: frozenset[Label]) -> frozenset[int]:
    """The loops whose variable says which tokens these are."""
    reads = with_ancestors(trace, ids(labels, TOKENS))
    return frozenset(loop for read in reads for loop in trace.reads[read].loops)


def common_loops(*moments: Moment) -> tuple[int, ...]:
    shared = [loop for loop in moments[0].loops if all(loop in one.loops for one in moments)]
    return tuple(shared)


def is_headline(trace: Trace, number: int) -> bool:
    """Whether the last score, which is the one a submission reports, uses the update's weights."""
    last = max(scores(trace), key=lambda score: score.moment.position)
    return reaches(number, last)


def lines_read(trace: Trace, update: Update) -> str:
    """The first line, in the function that trains, on which its tokens are cut from the stream."""
    reads = [trace.reads[read].site for read in with_ancestors(trace, ids(update.labels, TOKENS))]
    near = [site.line for site in reads if site.function == update.backward.function]
    return str(min(near or [site.line for site in reads], default="?"))


def in_its_loop(trace: Trace, update: Update) -> bool:
    """Whether something is scored in a loop of the update, after it.

    It may be the chunk after the one that was trained on: score first, written the other way round.
    """
    loops = cut_by(trace, update.labels) | trace.open_loops
    return any(
        loops.intersection(common_loops(score.moment, update.moment)) for score in scores(trace)
    )


def doubtful(trace: Trace, update: Update, score: Accumulation) -> bool:
    """Whether the folder contradicts itself, or something may have been scored unseen."""
    return bool(unclear(trace, update) or update.moment.ambiguous or score.moment.ambiguous)
