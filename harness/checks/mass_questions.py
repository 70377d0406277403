"""Which scores are re-queried, for which tokens, and where a run stands still for it.

Positions at which the base run saved most, each with the tokens that a table may know there first,
then others at random. Guarantees: no position that was scored twice. Does not cover: scripts that
add up outside of the main thread.
"""

from dataclasses import dataclass

import numpy as np

from harness.arrays import Ints
from harness.checks.mass_estimate import ENOUGH
from harness.protocol.question import Counter, Question
from harness.protocol.schema import UPDATES, EventKind
from harness.trace.reader import Capture
from harness.trace.reconstruct import Pass
from harness.trace.scored_positions import per_position, scored_once
from harness.trace.script_run import ScriptRun

POSITIONS = 3
FOLLOWERS = 32  # tokens that are chosen
AT_FIRST = 8  # of them, before any other
STANDS = (  # events behind which a run may stop
    *(EventKind.SUM, EventKind.STEP, EventKind.WRITE),
    *(EventKind.PRINT, EventKind.READ, EventKind.SAVE),
)


@dataclass(frozen=True)
class Asking:
    """How much is asked at a position."""

    limit_s: float
    most: int | None = None  # tokens; None: the alphabet
    early: bool = False  # from an earlier event on


def questions_for(
    base: ScriptRun, alphabet: int, seed: int, asking: Asking
) -> tuple[Question, ...]:
    """Positions whose score can be re-queried: where most was saved, and one scored first in its
    sum, which no table that is filled before it is read can confuse with its neighbours.

    Copies are forked behind the last event before the forward that fixed the score; early: before
    the forward over the position that came before it with the same weights, for scripts that keep
    the scores of one pass and mix them in another.
    """
    scored, capture = base.scored, base.capture
    if scored is None or len(np.unique(capture.rank)) != 1:
        return ()
    view = per_position(scored)
    saved = view.log_p - base.source.log_q[view.position]
    # What is scored twice has no one score to give again.
    eligible = np.flatnonzero(base.source.drawn[view.position] & scored_once(scored, view))
    found: list[Question] = []
    by_saved = view.position[eligible[np.argsort(-saved[eligible])]]
    for position in _first_in_a_sum_third(capture, by_saved):
        place = _place(capture, scored, position, asking.early)
        if place is None:
            continue
        order = _order(base.source.tokens, position, alphabet, [seed, len(found)])
        tokens, limit_s = order[: asking.most], asking.limit_s
        chosen = min(AT_FIRST, len(followers(base.source.tokens, position)))
        asked = (place[0], position, place[1], tokens, ENOUGH, limit_s, chosen, scored.unit)
        found.append(Question(*asked, alphabet, scored.of_token))
        if len(found) == POSITIONS:
            break
    return tuple(found)


def _first_in_a_sum_third(capture: Capture, positions: Ints) -> list[int]:
    """The positions in their order, but for the third place."""
    order = np.lexsort((capture.position, capture.score_event))
    starts = np.unique(capture.score_event[order], return_index=True)[1]
    places: list[int] = positions.tolist()
    leading = np.flatnonzero(np.isin(positions, capture.position[order][starts]))
    if len(leading) and leading[0] >= POSITIONS:
        places.insert(POSITIONS - 1, places.pop(int(leading[0])))
    return places


def _place(
    capture: Capture, scored: Pass, position: int, early: bool
) -> tuple[int, tuple[Counter, ...]] | None:
    """(event behind which the run stands still, what may count the position after it)."""
    if scored.inferred:
        return _place_on_a_line(capture, scored, position, early)
    fixed = int(scored.event[scored.position == position].min())
    sums = np.unique(capture.score_event[capture.position == position])
    mine = [int(e) for e in sums if e >= fixed and capture.site[e] in scored.sites]
    if early:
        changes = capture.events(*UPDATES)
        changes = changes[changes < fixed]
        forwards = capture.loss[sums]
        same = forwards[(forwards > changes.max(initial=-1)) & (forwards < fixed)]
        fixed = int(same.max()) if len(same) else fixed
    before = capture.events(*STANDS)
    before = before[before < fixed]
    if not len(before) or not mine:
        return None
    return int(before[-1]), _counters(capture, scored, fixed)


def _place_on_a_line(
    capture: Capture, scored: Pass, position: int, early: bool
) -> tuple[int, tuple[Counter, ...]] | None:
    """The same of plain numbers: behind the run of numbers before; early: before the losses of a
    model that they may be mixed from, else a run earlier. The first of a run was kept when the run
    before it was written down.
    """
    event = int(scored.event[scored.position == position].min())
    mine = capture.position[capture.score_event == event]
    line = capture.site[event], capture.text[event]
    same = (capture.site == line[0]) & (capture.text == line[1]) & (capture.kind == EventKind.VALUE)
    before = np.flatnonzero(same)
    before = before[before < event]
    if early and len(before):
        losses = capture.events(EventKind.LOSS)
        losses = losses[losses < before[-1]]
        # A copy is made at the event behind the one that it stands at. Without losses that a hook
        # saw there, numbers of a part may all have been made before the first of them is kept.
        mixed_from = before[before < losses.max(initial=-1)]
        before = (mixed_from if len(mixed_from) else before)[:-1]
    if not len(before) or mine[0] == position:
        return None
    return int(before[-1]), (Counter(f"{line[0]}#{line[1]}", read_out=False),)


def _counters(capture: Capture, scored: Pass, since: int) -> tuple[Counter, ...]:
    """What may count a score: a script may count one token here and another one there."""
    sums = capture.events(EventKind.SUM)
    sums = sums[(sums >= since) & np.isin(capture.site[sums], scored.sites)]
    pairs = zip(capture.site[sums].tolist(), capture.read_out[sums].tolist(), strict=True)
    return tuple(dict.fromkeys(Counter(*pair) for pair in pairs))


def _order(tokens: Ints, position: int, alphabet: int, seed: list[int]) -> tuple[int, ...]:
    """The latest of those that a table may know here; then others at random and the rest of them
    by turns, so that whatever is asked before the time is over holds both.
    """
    known = followers(tokens, position)
    others = np.random.default_rng([*seed, 0xA5C]).permutation(alphabet)
    drawn = others[~np.isin(others, known)].tolist()
    rest = known[AT_FIRST:]
    turns = [token for pair in zip(drawn, rest, strict=False) for token in pair]
    return (*known[:AT_FIRST], *turns, *rest[len(drawn) :], *drawn[len(rest) :])


def followers(tokens: Ints, position: int) -> list[int]:
    """The token that stands there, then what followed its predecessor before, latest first."""
    before = np.flatnonzero(tokens[: position - 1] == tokens[position - 1])[::-1]
    found = [int(tokens[position]), *tokens[before + 1].tolist()]
    return list(dict.fromkeys(found))[:FOLLOWERS]
