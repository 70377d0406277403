"""Adaptation: weights that learn from validation tokens, and the scores before and after.

Guarantees: an update is licensed only by a score that came before it in the same iteration of a
shared loop.
Does not cover: whether the tokens of two iterations are different ones.
"""

from __future__ import annotations

from audits.facts.events import Accumulation, Site, TokenRead, Update
from audits.facts.labels import ACCUMULATED, ADAPTED, OUTPUT, TOKENS, TRAIN, Label, ids, kinds
from audits.facts.trace import Trace
from audits.flow import (
    common_loops,
    cut_by,
    every_score,
    recordings,
    regions,
    same_tokens,
    scores,
    share_loop,
    with_ancestors,
)
from audits.match import Role, settled


def licensed(trace: Trace, update: Update) -> bool:
    """Whether a score was recorded before the update, in the same iteration."""
    return any(
        share_loop(record.moment, update.moment)
        and record.moment.position < update.moment.position
        and not _whole_pass(trace, record, update)
        for record in recordings(trace)
    )


def _whole_pass(trace: Trace, record: Accumulation, update: Update) -> bool:
    """Whether each round scores the same tokens, whatever it trains on: a training loop's check.

    Told only where the tokens of the update come from elsewhere than those of the score.
    """
    shared = set(common_loops(record.moment, update.moment))
    cut = cut_by(trace, record.labels)
    if not cut or cut & shared:
        return False
    return TRAIN in kinds(update.labels) or _source(trace, record).isdisjoint(
        _source(trace, update)
    )


def _source(trace: Trace, one: Accumulation | Update) -> frozenset[int]:
    """The first cuts of the stream that these tokens were cut from."""
    reads = with_ancestors(trace, ids(one.labels, TOKENS))
    return frozenset(read for read in reads if not trace.reads[read].parents)


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
        and not _whole_pass(trace, record, update)
        for record in trace.accumulations
    )


def reaches(update_number: int, record: Accumulation) -> bool:
    """Whether the score was computed with weights that the update changed."""
    return Label(ADAPTED, update_number) in record.labels


def same_positions(trace: Trace, update: Update, score: Accumulation) -> bool:
    """Whether the fitted loss covers scored positions: it is unrestricted, or restricted alike."""
    fitted, scored = regions(trace, update.labels), regions(trace, score.labels)
    cut = [one for one in fitted if ":" in one.text]  # a test that both share says nothing of these
    return not fitted or any(one.same_as(other) for one in cut or fitted for other in scored)


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


def of_this_round(trace: Trace, update: Update, score: Accumulation) -> bool:
    """Whether what is trained on belongs to the round of a shared loop that is scored after it.

    In an outer loop it is the round's part of the stream; in the innermost one the two cuts have to
    begin and end alike, or it may be the context alone.
    """
    if regions(trace, update.labels):
        return False
    for loop in common_loops(update.moment, score.moment):
        trained = _cuts(trace, update.labels, loop)
        if not trained or any(loop in one.bounds.placed for one in trained):
            continue
        present = [one for one in _cuts(trace, score.labels, loop) if loop not in one.bounds.placed]
        if any(max(one.loops) > loop for one in present):  # and by a loop inside it
            return True
        begins = {one.bounds.lower for one in present}
        ends = {one.bounds.upper for one in present}
        if all(one.bounds.lower in begins and one.bounds.upper in ends for one in trained):
            return True
    return False


def of_the_next_round(trace: Trace, update: Update, score: Accumulation) -> bool:
    """Whether it is trained on what the loop scores in its next round."""
    for loop in common_loops(update.moment, score.moment):
        trained = _cuts(trace, update.labels, loop)
        scored = _cuts(trace, score.labels, loop)
        ahead = bool(trained) and all(loop in one.bounds.ahead for one in trained)
        if ahead and scored and not any(loop in one.bounds.ahead for one in scored):
            return True
    return False


def _cuts(trace: Trace, labels: frozenset[Label], loop: int) -> list[TokenRead]:
    """The first cuts of the stream that the loop's variable decides."""
    reads = with_ancestors(trace, ids(labels, TOKENS))
    cut = {read for read in reads if loop in trace.reads[read].loops}
    return [trace.reads[read] for read in sorted(cut) if not trace.reads[read].parents & cut]


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
        loops.intersection(common_loops(score.moment, update.moment))
        and not _whole_pass(trace, score, update)
        for score in every_score(trace)
    )


def ambiguous(trace: Trace, update: Update, score: Accumulation) -> bool:
    """Whether the folder contradicts itself, or something may have been scored unseen."""
    if _of_another_part(trace, update, score):
        return True
    return unclear(trace, update) or not settled(update.moment, score.moment)


def _of_another_part(trace: Trace, update: Update, score: Accumulation) -> bool:
    """Whether it is trained on what lies before a place, and scored from there on."""
    trained, scored = (
        [trace.reads[one] for one in with_ancestors(trace, ids(labels, TOKENS))]
        for labels in (update.labels, score.labels)
    )
    return any(
        a.parents == b.parents and a.bounds.upper == b.bounds.lower != "" and not a.bounds.lower
        for a in trained
        for b in scored
    )


def steps_to(trace: Trace, update: Update, score: Accumulation) -> list[Role]:
    """From the cut of the stream that was trained on to the score that came too late."""
    reads = [trace.reads[read].site for read in with_ancestors(trace, ids(update.labels, TOKENS))]
    near = [site for site in reads if site.function == update.backward.function] or reads
    first = min(near, key=lambda site: (site.file, site.line), default=None)
    found = [("read here", first)] if first is not None else []
    found.append(("trained here", update.backward))
    if update.site != update.backward:
        found.append(("stepped here", update.site))
    return [*found, ("scored here", score.site)]
