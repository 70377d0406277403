"""Plain numbers that the script's lines kept, as scores: found by value.

A line of the code keeps one number a token, or one for each binary decision of a token. As what it
is meant (nats, bits, decimal digits, a probability), and whether all numbers of a token count
or the last, is not asked: each reading is tried, and the one that comes to the printed number
within its rounding is taken. Of several, one whose numbers were entries of rows that weigh one.

Guarantees: nothing is returned that misses the printed number by more than its rounding. Does not
cover: numbers that two lines add up together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from audits.facts.documented.printed_scores import Printed
from harness.arrays import Floats, Ints
from harness.protocol.question import UNITS, OfToken
from harness.protocol.schema import EventKind
from harness.tolerances import rounding
from harness.trace.reader import Capture

FEWEST_SHARE = 0.25  # of the stream
CUTS = 12  # latest printed numbers, since which or between which a pass may lie
MOST_PASSES = 32  # over the stream, one of which may have been printed
LN2 = UNITS["bits"]
SAME_NATS = 1e-6


class Reading(StrEnum):
    """What the numbers of a line may be."""

    NATS = "nats"
    BITS = "bits"
    DIGITS = "digits"
    PROBABILITIES = "probabilities"
    LAST_NATS = "nats, the last of a token"
    LAST_BITS = "bits, the last of a token"
    LAST_DIGITS = "digits, the last of a token"
    LAST_PROBABILITIES = "probabilities, the last of a token"

    @property
    def unit(self) -> str:
        """As a question names it."""
        unit = self.value.split(",")[0]
        return "probability" if unit == "probabilities" else unit

    @property
    def takes_last(self) -> bool:
        """Of a token's numbers."""
        return "last" in self.value


@dataclass(frozen=True, eq=False)
class ValueLine:
    """One place of the code; n tokens, in the order in which they were read."""

    site: str
    position: npt.NDArray[np.int32]  # (n,)
    event: Ints  # (n,) that holds the first number of the token
    width: npt.NDArray[np.int32]  # (n,) entries of the row that was read; 0: no such row
    single: bool  # one number a token
    numbers: npt.NDArray[np.int64]  # (n,) of each token
    nats: dict[Reading, Floats]  # each (n,)
    totals: dict[Reading, Floats]  # each (n + 1,): running sums
    turns: tuple[int, ...]  # where passes begin; at most one more than are looked at


@dataclass(frozen=True, eq=False)
class Rebuilt:
    """Scores that come to the printed number."""

    line: ValueLine
    chosen: slice
    nats: Floats
    reading: Reading
    width: int  # entries of the rows, where every score was one's entry

    @property
    def of_token(self) -> OfToken:
        """Which of a token's numbers are its score."""
        if (self.line.numbers[self.chosen] == 1).all():
            return OfToken.ONE
        return OfToken.LAST if self.reading.takes_last else OfToken.SUM


def rebuilt_by_value(
    capture: Capture,
    printed: Printed,
    end: int,  # the event that printed it
    stream_length: int,
    token_bytes: Ints | None,
) -> Rebuilt | None:
    """The scores, or nothing."""
    found: Rebuilt | None = None
    for line in value_lines(capture):
        for chosen in _windows(capture, line, end):
            if chosen.stop - chosen.start < FEWEST_SHARE * stream_length:
                continue
            reading = _reading(line, chosen, printed, token_bytes)
            if reading is None:
                continue
            if len(np.unique(line.position[chosen])) < FEWEST_SHARE * stream_length:
                continue
            width = int(line.width[chosen].min())
            fit = Rebuilt(line, chosen, line.nats[reading][chosen], reading, width)
            if fit.width:
                return fit
            found = found or fit
    if found is None:
        return None
    width = _width_behind(capture, found, end)
    return replace(found, width=width)


@lru_cache(maxsize=2)
def value_lines(capture: Capture) -> tuple[ValueLine, ...]:
    """Of all lines, those of rows first, then those with one number a token, then the latest."""
    is_value = capture.kind == EventKind.VALUE
    rows = np.flatnonzero(is_value[capture.score_event]) if len(is_value) else np.empty(0, int)
    if not len(rows):
        return ()
    events = capture.score_event[rows]
    names = np.char.add(
        np.char.add(capture.site[events].astype(np.str_), "#"),
        np.char.add(capture.text[events].astype(np.str_), capture.rank[events].astype(np.str_)),
    )
    _, of = np.unique(names, return_inverse=True)
    lines = [_line(capture, rows[of == k]) for k in range(int(of.max()) + 1)]
    lines.sort(key=lambda line: (not line.width.any(), not line.single, -int(line.event[-1])))
    return tuple(lines)


def _line(capture: Capture, rows: Ints) -> ValueLine:
    position, event = capture.position[rows], capture.score_event[rows]
    starts = np.flatnonzero(np.append(True, position[1:] != position[:-1]))
    last = np.append(starts[1:], len(rows)) - 1
    values = capture.nats[rows]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        logs = -np.log(values)
    sums, log_sums = np.add.reduceat(values, starts), np.add.reduceat(logs, starts)
    nats = {
        Reading.NATS: sums,
        Reading.BITS: sums * LN2,
        Reading.DIGITS: sums * UNITS["digits"],
        Reading.PROBABILITIES: log_sums,
        Reading.LAST_NATS: values[last],
        Reading.LAST_BITS: values[last] * LN2,
        Reading.LAST_DIGITS: values[last] * UNITS["digits"],
        Reading.LAST_PROBABILITIES: logs[last],
    }
    places = _repaired(position[starts])
    totals = {name: np.append(0.0, np.cumsum(column)) for name, column in nats.items()}
    site = str(capture.site[event[0]])
    width = capture.softmax_width[event[starts]]
    single = len(starts) == len(rows)
    numbers = last - starts + 1
    turns = _turns(places)
    return ValueLine(site, places, event[starts], width, single, numbers, nats, totals, turns)


def _repaired(places: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """The first of a run of neighbours may have been given the place of what was read before."""
    if len(places) < 3:
        return places
    fixed = places.copy()
    goes_on = np.append(places[2:] == places[1:-1] + 1, False)
    wrong = (places[:-1] != places[1:] - 1) & goes_on & (places[1:] > 1)  # nobody scores place 0
    heads = np.flatnonzero(wrong)
    seen = np.isin(places[heads + 1] - 1, places)
    twice = np.array([np.count_nonzero(places == places[h]) > 1 for h in heads], bool)
    twice |= places[heads] == 0
    heads = heads[~seen & twice] if len(heads) else heads
    fixed[heads] = places[heads + 1] - 1
    return fixed


def _windows(capture: Capture, line: ValueLine, end: int) -> Iterator[slice]:
    """Everything since a printed number, between two of them, the latest pass, and each other one:
    of several passes one may be printed.
    """
    stop = int(np.searchsorted(line.event, end))
    prints = capture.events(EventKind.PRINT)
    cuts = np.unique(np.append(np.searchsorted(line.event, prints[prints < end]), 0))
    cuts = cuts[cuts < stop][::-1][:CUTS]
    for start in cuts:
        yield slice(int(start), stop)
    for start, after in zip(cuts[1:], cuts[:-1], strict=True):
        yield slice(int(start), int(after))
    begin = _last_pass(line.position[:stop])
    if begin not in cuts:
        yield slice(begin, stop)
    yield from _passes(line.turns, stop)


def _turns(places: npt.NDArray[np.int32]) -> tuple[int, ...]:
    """The first, and where a place comes again that came since the one before."""
    order = np.argsort(places, kind="stable")
    before = np.full(len(places), -1)
    same = places[order[1:]] == places[order[:-1]]
    before[order[1:][same]] = order[:-1][same]
    starts = [0]
    for row in np.flatnonzero(before >= 0).tolist():
        if before[row] >= starts[-1]:
            starts.append(row)
        if len(starts) > MOST_PASSES:
            break
    return tuple(starts)


def _passes(turns: Sequence[int], stop: int) -> Iterator[slice]:
    """Each of several before an end; none of more than `MOST_PASSES`: places that come again at
    once are no passes.
    """
    starts = [start for start in turns if start < stop]
    if 1 < len(starts) <= MOST_PASSES:
        yield from (slice(*ends) for ends in zip(starts, [*starts[1:], stop], strict=True))


def _last_pass(places: npt.NDArray[np.int32]) -> int:
    """Where the longest end begins in which no place comes twice."""
    turned = places[::-1]
    _, first = np.unique(turned, return_index=True)
    again = np.ones(len(turned), bool)
    again[first] = False
    return len(places) - int(np.argmax(again)) if again.any() else 0


def _reading(
    line: ValueLine, chosen: slice, printed: Printed, token_bytes: Ints | None
) -> Reading | None:
    """The first that comes to the printed number."""
    n = chosen.stop - chosen.start
    wanted, per = printed.nats_per_token, float(n)
    if wanted is None:
        if token_bytes is None or printed.bits_per_byte is None:
            return None
        wanted = printed.bits_per_byte
        per = LN2 * float(token_bytes[line.position[chosen]].sum())
    if per <= 0 or wanted <= 0:
        return None
    for reading in Reading:
        totals = line.totals[reading]
        # behind an infinite value sums are no numbers any more
        with np.errstate(invalid="ignore"):
            rebuilt = abs(float(totals[chosen.stop] - totals[chosen.start])) / per
        off = abs(rebuilt - wanted)
        if np.isfinite(rebuilt) and off <= rounding(printed.half_unit, wanted):
            return reading
    return None


def _width_behind(capture: Capture, found: Rebuilt, end: int) -> int:
    """Every score is an entry of a row that weighs one, which another line read."""
    nats = np.abs(found.nats)
    places = found.line.position[found.chosen]
    for line in value_lines(capture):
        if not line.width.any():
            return 0
        before = slice(0, int(np.searchsorted(line.event, end)))
        for column in line.nats.values():
            entries = np.full(int(max(places.max(), line.position.max())) + 1, np.nan)
            entries[line.position[before]] = np.abs(column[before])
            if (np.abs(entries[places] - nats) <= SAME_NATS).all():
                return int(line.width[before].min())
    return 0
