"""Windows of `sum` events that could be behind a printed number, the likeliest first.

A *pass* is a run of sums in which no position comes twice. Windows are the latest pass, earlier
passes, then everything between two cuts, a cut being the start of a pass or a line that held a
number, and between two such lines: a script may count some tokens twice in one evaluation, and
print its number again behind another one (as the script of #778). Where a script scores every epoch
of an adaptation into the same accumulators, only the last score of a token counts, and where it
keeps the better of two, the smaller one; where it looks at a score before it keeps it, the second.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from harness.protocol.schema import EventKind
from harness.trace.reader import Capture

Events = npt.NDArray[np.int64]

PASSES = 24  # latest passes that are tried alone
CUTS = 64  # latest cuts from which everything up to the line is tried


class Weighing(StrEnum):
    """How the scores behind a printed mean may have been weighed."""

    CAPTURED = "by the captured weights"
    TOKENS = "every token alike"
    SUMS = "every sum alike"  # a mean of batch means
    SCALED = "with the factors as part of the scores"  # 0.98 * loss


@dataclass(frozen=True, eq=False)
class Sums:
    """`sum` events that are taken together, in order."""

    events: Events


@dataclass(frozen=True, eq=False)
class Window:
    """A run of sums, and its means."""

    events: Events  # (m,)
    weighted: npt.NDArray[np.float64]  # (m,) sum of weight x nats of each event
    weight: npt.NDArray[np.float64]  # (m,) sum of weights
    nats: npt.NDArray[np.float64]  # (m,) sum of nats
    count: npt.NDArray[np.int64]  # (m,) tokens
    kept: npt.NDArray[np.int64] | None = None  # rows, where not all scores of the events count

    def mean(self, weighing: Weighing) -> float:
        """Nats per token under one way of weighing."""
        match weighing:
            case Weighing.CAPTURED:
                return float(self.weighted.sum() / max(self.weight.sum(), 1e-300))
            case Weighing.TOKENS:
                return float(self.nats.sum() / max(self.count.sum(), 1))
            case Weighing.SUMS:
                return float((self.nats / np.maximum(self.count, 1)).mean())
            case Weighing.SCALED:
                return float(self.weighted.sum() / max(self.count.sum(), 1))

    def rows(self, capture: Capture) -> npt.NDArray[np.int64]:
        """Row numbers of its scores."""
        if self.kept is not None:
            return self.kept
        wanted = np.zeros(len(capture.kind) + 1, bool)
        wanted[self.events] = True
        return np.flatnonzero(wanted[capture.score_event])

    def tokens_per_byte(self, capture: Capture, token_bytes: npt.NDArray[np.int64]) -> float:
        """Of the tokens that were scored."""
        rows = self.rows(capture)
        return len(rows) / max(float(token_bytes[capture.position[rows]].sum()), 1.0)


def windows(capture: Capture, sums: Sums, end: int) -> Iterator[Window]:
    """Candidates before the event `end`."""
    events = sums.events
    if not len(events):
        return
    whole = _window(capture, events)
    starts = _pass_starts(capture, events)
    stops = np.append(starts[1:], len(events))
    for start, stop in list(zip(starts, stops, strict=True))[::-1][:PASSES]:
        yield _part(whole, int(start), int(stop))
    prints = capture.events(EventKind.PRINT)
    prints = prints[prints < end]
    lines = np.unique(np.append(np.searchsorted(events, prints), 0))
    cuts = np.unique(np.concatenate([starts, lines]))
    cuts = cuts[cuts < len(events)]
    for cut in cuts[::-1][:CUTS]:
        yield _part(whole, int(cut), len(events))
    for start, stop in [*list(pairwise(cuts))[::-1][:CUTS], *list(pairwise(lines))[::-1][:CUTS]]:
        yield _part(whole, int(start), int(stop))


def one_a_token(capture: Capture, sums: Sums, end: int) -> Iterator[Window]:
    """Since each line that held a number: the last score of every token, then the smallest."""
    for events, rows in _since_prints(capture, sums, end):
        places = capture.position[rows]
        if len(np.unique(places)) == len(rows):
            continue  # no token came twice
        for order in (np.lexsort((-rows, places)), np.lexsort((capture.nats[rows], places))):
            first = np.unique(places[order], return_index=True)[1]
            yield _of_rows(capture, events, np.sort(rows[order[first]]))


def read_again(capture: Capture, sums: Sums, end: int) -> Iterator[Window]:
    """Since each line that held a number: scores that were read a second time at once, as where one
    is looked at before it is kept. (`[float(v) for v in nats if float(v) < line]`) Of one line.
    """
    if len(np.unique(capture.counter[sums.events])) != 1:
        return
    for events, rows in _since_prints(capture, sums, end):
        places = capture.position[rows]
        again = np.append(False, places[1:] == places[:-1]) if len(rows) else np.zeros(0, bool)
        if again.any():
            yield _of_rows(capture, events, rows[again])


def _since_prints(
    capture: Capture, sums: Sums, end: int
) -> Iterator[tuple[Events, npt.NDArray[np.int64]]]:
    """Since each line that held a number, the latest first: sums, and the rows of their scores."""
    prints = capture.events(EventKind.PRINT)
    prints = prints[prints < end]
    for cut in np.unique(np.append(np.searchsorted(sums.events, prints), 0))[::-1][:PASSES]:
        events = sums.events[cut:]
        yield events, np.flatnonzero(np.isin(capture.score_event, events))


def _of_rows(capture: Capture, events: Events, kept: npt.NDArray[np.int64]) -> Window:
    owner = np.searchsorted(events, capture.score_event[kept])
    used, nats, weight = np.unique(owner), capture.nats[kept], capture.weight[kept]

    def total(column: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        finite = np.nan_to_num(column, posinf=0.0, neginf=0.0)
        return np.bincount(owner, finite, len(events))[used].astype(np.float64)

    count = np.bincount(owner, minlength=len(events))[used]
    return Window(events[used], total(nats * weight), total(weight), total(nats), count, kept)


def _window(capture: Capture, events: Events) -> Window:
    low = np.searchsorted(capture.score_event, events)
    high = np.searchsorted(capture.score_event, events + 1)
    weighted = _prefix(capture.nats * capture.weight)
    weight, nats = _prefix(capture.weight), _prefix(capture.nats)
    return Window(
        events,
        weighted[high] - weighted[low],
        weight[high] - weight[low],
        nats[high] - nats[low],
        high - low,
    )


def _prefix(column: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(np.nan_to_num(column, posinf=0.0, neginf=0.0))])


def _part(whole: Window, start: int, stop: int) -> Window:
    piece = slice(start, stop)
    return Window(
        whole.events[piece],
        whole.weighted[piece],
        whole.weight[piece],
        whole.nats[piece],
        whole.count[piece],
    )


def _pass_starts(capture: Capture, events: Events) -> Events:
    """(p,) index of the event with which each pass begins."""
    wanted = np.zeros(len(capture.kind) + 1, bool)
    wanted[events] = True
    rows = np.flatnonzero(wanted[capture.score_event])
    owner = np.searchsorted(events, capture.score_event[rows])  # (n,) index into events
    position = capture.position[rows]
    order = np.lexsort((owner, position))
    same = position[order][1:] == position[order][:-1]
    before = np.full(len(rows), -1, np.int64)  # event that last held the same position
    before[order[1:]] = np.where(same, owner[order][:-1], -1)
    before[before == owner] = -1  # twice in one sum is not a new pass
    latest = np.full(len(events), -1, np.int64)
    np.maximum.at(latest, owner, before)
    starts = [0]
    for index, previous in enumerate(latest.tolist()):
        if previous >= starts[-1]:
            starts.append(index)
    return np.array(starts, np.int64)
