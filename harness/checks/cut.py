"""Where a stream is cut: what changes, and which earlier scores must not.

*Later* must hold in both readings of the law at once, so that no legal script is flagged:

    order of scoring   adaptation may use what was scored, wherever it stands (length-sorted
                       documents, phases)
    place in stream    context may hold what stands earlier, whenever it is scored (shuffled
                       windows, ranks)

In the middle event (a batch) the positions from its median on are changed, so window, batch, chunk,
document and phase edges all lie between the two sides; where the order is unknown, the two sides
share one document. The first changed position is one whose whole distribution was kept, where the
event has one. Behind it three tokens of sixteen stay: do their scores move with what stands before
them? Does not cover: what is put in place of the changed tokens.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from harness.arrays import Bools, Ints
from harness.trace.scored_positions import PerPosition, ScoredPass, per_position

MOST_EVENTS = 257  # candidates for the middle
FIRST_SCORES = 48  # an early cut stands behind so many
FEWEST_USED = 64  # positions used early, below which a cut through them leaves nothing to compare
EVERY, STAY = 16, 3  # of so many changed tokens in a row, the last ones stay
NONE: Ints = np.empty(0, np.int64)


class Edge(StrEnum):
    """What lies between a compared position and the changed ones; named as the report shows it."""

    SAME_STEP_SAME_DOCUMENT = "same step, same document"
    SAME_STEP_OTHER_DOCUMENT = "same step, other document"
    EARLIER_STEP_SAME_DOCUMENT = "earlier step, same document"
    EARLIER_STEP_OTHER_DOCUMENT = "earlier step, other document"
    ORDER_UNKNOWN_SAME_DOCUMENT = "order unknown, same document"


ACROSS_STEPS = (Edge.EARLIER_STEP_SAME_DOCUMENT, Edge.EARLIER_STEP_OTHER_DOCUMENT)


@dataclass(frozen=True)
class Cut:
    """Two sides: what changes, and what must not."""

    changed: Ints  # (f,) positions whose tokens change
    compared: Ints  # (c,) positions scored before all of them, and standing before all of them
    edges: Mapping[Edge, Ints]  # the compared positions by what lies between them and a changed one
    # (k,) positions behind the first changed one whose tokens stay, as does the token before
    context: Ints = field(default_factory=lambda: NONE)
    newest: Ints = field(default_factory=lambda: NONE)  # (k,) whose token stays, not the one before

    @property
    def first_changed(self) -> int:
        """What stands before it is the same under every future."""
        return int(self.changed.min())


def choose_cut(
    scored: ScoredPass,
    starts: Ints,  # (D,) document boundaries
    at: float = 0.5,  # share of the scored tokens before the cut
    order_known: bool = True,
    witnesses: Ints = NONE,  # (w,) ascending positions whose distributions were kept
    places_off: int = 0,  # by so much a score's place may be too early
    used: Ints = NONE,  # (u,) positions that an update had used before they were scored
) -> Cut:
    """The cut nearest to `at` that has most on its smaller side; where less than half of what was
    used early lies behind it, the one that has most of that, too: what stays cannot show.
    """
    view = per_position(scored)
    document = np.searchsorted(starts, view.position, side="right")
    if not order_known:
        return _inside_a_document(view, document)
    middles = [_witnessed(view, middle, witnesses) for middle in _middles(view)]
    best = max(middles, key=lambda middle: _smaller_side(view, middle, at))
    if len(used) >= FEWEST_USED and not _is_behind(view, best, used):
        best = max(middles, key=lambda middle: _smaller_side(view, middle, at, used))
    before, after = _sides(view, best)
    before &= view.position < best[1] - places_off
    return _cut(view, document, before, after, best[0])


def early_cut(scored: ScoredPass, starts: Ints) -> Cut | None:  # (D,) document boundaries
    """Behind the first scores, so that nearly all changes: what looks at a part of the stream may
    look at its beginning alone. None where less than half of the scores stand behind those.
    """
    view = per_position(scored)
    order = np.lexsort((view.position, view.last))
    if len(order) <= 2 * FIRST_SCORES:
        return None
    row = order[FIRST_SCORES]
    before, after = _sides(view, (int(view.last[row]), int(view.position[row])))
    if not before.any() or after.sum() < len(order) / 2:
        return None
    document = np.searchsorted(starts, view.position, side="right")
    return _cut(view, document, before, after, int(view.last[row]))


def holds(scored: ScoredPass, cut: Cut) -> bool:
    """Whether in this pass, too, all that is compared was scored before all that changes."""
    view = per_position(scored)
    before, after = (np.isin(view.position, part) for part in (cut.compared, cut.changed))
    return bool(before.any() and after.any() and view.last[before].max() <= view.first[after].min())


def _middles(view: PerPosition) -> list[tuple[int, int]]:
    """(event, its median position) for candidate events."""
    events = np.unique(view.last)
    if len(events) > MOST_EVENTS:
        events = events[np.linspace(0, len(events) - 1, MOST_EVENTS).astype(int)]
    order = np.argsort(view.last, kind="stable")  # positions stay sorted within an event
    low = np.searchsorted(view.last[order], events)
    high = np.searchsorted(view.last[order], events, side="right")
    # Off the middle, which is where windows and rows of a batch end.
    places = view.position[order[(low + high) // 2 + (high - low) // 10]]
    return [(int(e), int(p)) for e, p in zip(events, places, strict=True)]


def _witnessed(view: PerPosition, middle: tuple[int, int], witnesses: Ints) -> tuple[int, int]:
    """The same event, cut at its next position whose distribution was kept."""
    event, place = middle
    mine = witnesses[np.isin(witnesses, view.position[view.last == event])]
    at = np.searchsorted(mine, place)
    return (event, int(mine[at])) if at < len(mine) else middle


def _sides(view: PerPosition, middle: tuple[int, int]) -> tuple[Bools, Bools]:
    """Masks over the view's rows: compared, changed."""
    event, place = middle
    before = (view.last <= event) & (view.position < place)
    after = (view.first >= event) & (view.position >= place)
    return before, after


def _smaller_side(
    view: PerPosition, middle: tuple[int, int], at: float, used: Ints = NONE
) -> float:
    before, after = _sides(view, middle)
    sides = [before.sum() / at, after.sum() / (1 - at)]
    if len(used):
        sides.append(np.isin(view.position[after], used).sum() / (1 - at))
    return float(min(sides))


def _is_behind(view: PerPosition, middle: tuple[int, int], used: Ints) -> bool:
    """At least half of these positions change."""
    return shown_by(view.position[_sides(view, middle)[1]], used)


def shown_by(changed: Ints, used: Ints) -> bool:
    """At least half of what an update had used early is changed, so that the use could show."""
    return 2 * int(np.isin(used, changed).sum()) >= len(used)


def _cut(
    view: PerPosition,
    document: Ints,  # (k,)
    before: Bools,
    after: Bools,
    event: int,
) -> Cut:
    same_step = view.last == event
    same_document = np.isin(document, document[after])
    edges = {
        Edge.SAME_STEP_SAME_DOCUMENT: before & same_step & same_document,
        Edge.SAME_STEP_OTHER_DOCUMENT: before & same_step & ~same_document,
        Edge.EARLIER_STEP_SAME_DOCUMENT: before & ~same_step & same_document,
        Edge.EARLIER_STEP_OTHER_DOCUMENT: before & ~same_step & ~same_document,
    }
    places = {edge: view.position[mask] for edge, mask in edges.items() if mask.any()}
    return _with_context(view.position[after], view.position[before], places)


def _with_context(after: Ints, before: Ints, edges: Mapping[Edge, Ints]) -> Cut:
    """Three of sixteen stay; the first of three still stands behind a token that is another one."""
    offset = (after - after[:1]) % EVERY  # ascending: the first is the first that changes
    stays = offset >= EVERY - STAY
    first = offset == EVERY - STAY
    return Cut(after[~stays], before, edges, after[stays & ~first], after[first])


def _inside_a_document(view: PerPosition, document: Ints) -> Cut:
    """The longest document's second half against its first."""
    longest = np.bincount(document).argmax()
    rows = np.flatnonzero(document == longest)
    before, after = np.zeros(len(document), bool), np.zeros(len(document), bool)
    before[rows[: len(rows) // 2]] = True
    after[rows[len(rows) // 2 :]] = True
    edge = {Edge.ORDER_UNKNOWN_SAME_DOCUMENT: view.position[before]}
    return _with_context(view.position[after], view.position[before], edge)
