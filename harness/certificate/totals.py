"""Which scores are behind a printed number, when there are too many to hold: by event.

Every `sum` of a run is known by its totals. A candidate is a run of sums of one call site, or of a
few together, that ends where a number was printed, and begins where the site began, behind another
printed number, at its first position, or where it has as many tokens as there are targets: so few
are tried that none agrees by chance. It is weighed in the four ways of `trace.passes`, and taken
where it comes to the printed number within its rounding.

Guarantees: what is chosen was recorded before the line was printed. Does not cover what
`trace.reconstruct` adds for small runs: the last score of several, the best of two, plain numbers,
less than a quarter of the stream. A number of that kind is *not reproduced* here.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from audits.facts.documented.printed_scores import Printed
from harness.arrays import Floats, Ints
from harness.protocol.schema import EventKind
from harness.tolerances import rounding
from harness.trace.passes import Weighing
from harness.trace.reader import Capture, OpenedCapture
from harness.trace.reconstruct import LEAST_PART, LN2, groups, print_event

MOST_TIMES = 1.5  # the targets, that a pass may score: ends of a short stream overlap
PRINTS = 16  # latest lines that a candidate may end at
MOST_STARTS = 64  # of a candidate, the latest


@dataclass(frozen=True, eq=False)
class Totals:
    """What each event added up; E rows."""

    tokens: Ints
    weight: Floats
    nats: Floats  # nats, not weighted
    weighted: Floats  # nats times weight
    n_bytes: Ints  # canonical, of the targets
    below: Ints  # scores below zero
    above: Ints
    first: Ints  # its smallest position


@dataclass(frozen=True, eq=False)
class Chosen:
    """The sums behind one printed number."""

    events: Ints  # (m,)
    weighing: Weighing
    gap: float  # relative, within the printed rounding
    sign: Floats  # (E,) -1 where log-probabilities were added up


def totals_of(
    opened: OpenedCapture,
    token_bytes: Ints,  # (T,) canonical bytes of each target
) -> Totals:
    """One pass over all scores. Raises BrokenCapture."""
    count = len(opened.capture.kind)
    ints, floats = np.zeros((4, count), np.int64), np.zeros((3, count))
    first = np.full(count, np.iinfo(np.int64).max)
    found = Totals(ints[0], floats[0], floats[1], floats[2], ints[1], ints[2], ints[3], first)
    for part in opened.scores():
        if not len(part["event"]):
            continue
        start = int(part["event"].min())
        row = part["event"] - start
        nats = np.nan_to_num(part["nats"], posinf=0.0, neginf=0.0)
        counted = token_bytes[np.maximum(part["position"], 0)]
        np.minimum.at(found.first, part["event"], part["position"])
        for total, values in (
            (found.tokens, None),
            (found.weight, part["weight"]),
            (found.nats, nats),
            (found.weighted, nats * part["weight"]),
            (found.n_bytes, counted),
            (found.below, nats < 0),
            (found.above, nats > 0),
        ):
            added = np.bincount(row, values)
            total[start : start + len(added)] += added.astype(total.dtype)
    return found


def choose(
    capture: Capture,
    totals: Totals,
    printed: Printed,
    targets: int,  # of the stream
) -> Chosen | None:
    """The first candidate that agrees; None where none does."""
    sign = _signs(capture, totals)
    for events in _candidates(capture, totals, printed):
        starts = _starts(capture, totals, events, targets)
        for weighing in Weighing:
            found = _fit(totals, events, starts, sign, weighing, printed, targets)
            if found is not None:
                return found
    return None


def _candidates(capture: Capture, totals: Totals, printed: Printed) -> Iterator[Ints]:
    """Sums up to the line, and up to earlier ones; the nearest site first."""
    end = print_event(capture, printed)
    prints = capture.events(EventKind.PRINT)
    prints = prints[prints < end][-PRINTS:][::-1]
    for sums in groups(capture, end):
        events = sums.events[totals.tokens[sums.events] > 0]
        stops = [len(events), *np.searchsorted(events, prints)]
        for stop in dict.fromkeys(map(int, stops)):
            if stop:
                yield events[:stop]


def _starts(capture: Capture, totals: Totals, events: Ints, targets: int) -> Ints:
    """(k,) indices of events at which a pass may begin that holds enough tokens."""
    tokens = _from_behind(totals.tokens[events])
    behind = np.searchsorted(events, capture.events(EventKind.PRINT))
    at_first = np.flatnonzero(totals.first[events] == totals.first[events].min())
    nearest = [int(np.argmin(np.abs(tokens - targets)))]
    found = np.unique(np.concatenate([[0], behind, at_first, nearest]).astype(np.int64))
    found = found[found < len(events)]
    enough = (tokens[found] >= LEAST_PART * targets) & (tokens[found] <= MOST_TIMES * targets)
    return np.asarray(found[enough][-MOST_STARTS:])


def _fit(
    totals: Totals,
    events: Ints,
    starts: Ints,
    sign: Floats,  # (E,)
    weighing: Weighing,
    printed: Printed,
    targets: int,
) -> Chosen | None:
    """The run of these sums, up to the last of them, that comes to the number."""
    if not len(starts):
        return None
    tokens = _from_behind(totals.tokens[events])
    rebuilt = _means(totals, events, sign, weighing)
    wanted = printed.nats_per_token
    if wanted is None:
        n_bytes = _from_behind(totals.n_bytes[events])
        rebuilt, wanted = rebuilt / LN2 * tokens / np.maximum(n_bytes, 1), printed.bits_per_byte
    if wanted is None or not math.isfinite(wanted) or wanted <= 0:
        return None
    off = np.abs(rebuilt - wanted)
    fits = starts[off[starts] <= rounding(printed.half_unit, wanted)]
    if not len(fits):
        return None
    start = fits[np.argmin(np.abs(tokens[fits] - targets))]
    return Chosen(events[start:], weighing, float(off[start] / wanted), sign)


def _means(totals: Totals, events: Ints, sign: Floats, weighing: Weighing) -> Floats:
    """(m,) of the sums from each on, nats a token."""
    count = np.maximum(_from_behind(totals.tokens[events]), 1)
    nats, weighted = (sign[events] * column[events] for column in (totals.nats, totals.weighted))
    match weighing:
        case Weighing.CAPTURED:
            weight = np.maximum(_from_behind(totals.weight[events]), 1e-300)
            return np.asarray(_from_behind(weighted) / weight)
        case Weighing.TOKENS:
            return np.asarray(_from_behind(nats) / count)
        case Weighing.SUMS:
            each = nats / np.maximum(totals.tokens[events], 1)
            return np.asarray(_from_behind(each) / np.arange(len(events), 0, -1))
        case Weighing.SCALED:
            return np.asarray(_from_behind(weighted) / count)


def _from_behind(column: Floats | Ints) -> Floats:
    return np.asarray(np.cumsum(column[::-1])[::-1], np.float64)


def _signs(capture: Capture, totals: Totals) -> Floats:
    """(E,) by the line that added up: log-probabilities are oftener below zero than above."""
    counter = capture.counter
    below, above = (np.bincount(counter, column) for column in (totals.below, totals.above))
    return np.where((below > above)[counter], -1.0, 1.0)
