"""Finds which captured scores add up to a printed number.

Candidates are runs of `sum` events before the line was printed: of one call site, or of a few sites
together, cut where a position comes again (a pass) or where a number was printed. Each is weighed
in four ways (by the captured weights, every token alike, every sum alike: a mean of batch means,
and with the factors as part of the scores: `0.98 * loss`), as nats, bits and decimal digits. The
first candidate that agrees within the printed rounding is taken, in the order latest pass, earlier
passes, other cuts, one score a token; failing that, plain numbers that a line kept (`value_lines`);
scores of a part, divided by all targets; the closest, with its gap. A number that may be a claim
stands for the stream: there, a candidate that holds a part of it is taken only where none holds
nearly all, and only where so many were tried that none would have agreed by chance.

Guarantees: what is returned was captured before the line was printed. Does not cover: scores that
were mixed where no hook sees them (C extensions, byte-level mixers): then nothing fits, or the gap
says so.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, combinations, islice

import numpy as np
import numpy.typing as npt

from audits.facts.documented.printed_scores import Printed
from harness.protocol.question import UNITS, OfToken
from harness.protocol.schema import EventKind
from harness.tolerances import rounding
from harness.trace.passes import Sums, Weighing, Window, one_a_token, read_again, windows
from harness.trace.reader import Capture
from harness.trace.value_lines import Rebuilt, rebuilt_by_value

FEWEST_SHARE = 0.05  # of the stream
NEARLY_ALL = 0.9  # of the stream
CHANCE = 0.01  # that a part of the stream agrees with a number which it is not behind
WORST_GAP = 5e-3  # relative; anything further off explains nothing
PLACES_OFF = 8  # an inferred place is that of what was read, which may end before the target
SITES = 6  # call sites nearest to the line that are combined
MOST_TURNS = 3  # totals that a line takes by turns
LEAST_PART = 0.25  # of the targets, that may stand for all
FINE = 5e-6  # half a unit of a number that a part comes to by no chance
LN2 = UNITS["bits"]


@dataclass(frozen=True, eq=False)
class Pass:
    """The scores behind one printed number."""

    printed: Printed
    position: npt.NDArray[np.int32]  # (n,) in the stream
    nats: npt.NDArray[np.float64]  # (n,)
    weight: npt.NDArray[np.float64]  # (n,) relative weight in the printed mean
    event: npt.NDArray[np.int64]  # (n,) the `sum` that counted it
    sites: tuple[str, ...]  # where they were added up, sorted
    gap: float  # relative, |rebuilt - printed| / printed
    coverage: float  # share of the stream's targets (all but the first token) that were scored
    inferred: bool = False  # places are those of the tokens that were read before (`value_lines`)
    unit: str = "nats"  # in which they were recorded
    of_token: OfToken = OfToken.ONE
    # (n,) that each inferred score was made of
    numbers: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    divided_by: int = 0  # tokens, where they are more than were added up; else 0
    row_width: int = 0  # entries of the rows, where inferred scores were seen to be entries of rows
    # (k,) positions whose score is the best of several (`hindsight`)
    best: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def is_exact(self) -> bool:
        """The number that was printed, within its rounding."""
        wanted = self.printed.nats_per_token or self.printed.bits_per_byte or 0.0
        return self.gap * wanted <= rounding(self.printed.half_unit, wanted)

    @property
    def mean(self) -> float:
        """Nats per token, as rebuilt."""
        return float((self.nats * self.weight).sum() / self.weight.sum())


@dataclass(frozen=True, eq=False)
class _Fit:
    window: Window
    weighing: Weighing
    gap: float  # relative
    exact: bool
    unit: str = "nats"


def reconstruct(
    capture: Capture,
    printed: Printed,
    stream_length: int,  # T
    token_bytes: npt.NDArray[np.int64] | None = None,  # (T,) bytes of each token in its context
) -> Pass | None:
    """The scores behind a printed number; None when nothing captured comes near it."""
    shown = printed.bits_per_byte if printed.nats_per_token is None else printed.nats_per_token
    if shown is None or not math.isfinite(shown):
        return None  # nothing adds up to it
    end = print_event(capture, printed)
    best: _Fit | None = None
    part: _Fit | None = None
    tried = 0
    for candidates in (windows, one_a_token, read_again):
        for window in _candidates(capture, end, candidates):
            if window.count.sum() < FEWEST_SHARE * stream_length:
                continue
            tried += 1
            for fit in _fits(capture, window, printed, token_bytes):
                if fit.exact and (printed.diagnostic or _is_whole(capture, window, stream_length)):
                    return _as_pass(capture, printed, fit, stream_length)
                if fit.exact and part is None and _is_no_chance(capture, fit, printed, tried):
                    part = fit
                usual = candidates is windows and fit.weighing is not Weighing.SCALED
                closer = fit.gap <= WORST_GAP if best is None else fit.gap < best.gap
                if (usual and closer) and (
                    printed.diagnostic or _is_whole(capture, window, stream_length)
                ):
                    best = fit
    if (kept := _kept(capture, printed, end, stream_length, token_bytes)) is not None:
        return kept
    by_value = rebuilt_by_value(capture, printed, end, stream_length, token_bytes)
    if by_value is not None:
        return _inferred(printed, by_value, stream_length)
    if part is not None:
        return _as_pass(capture, printed, part, stream_length)
    if (thinned := _thinned(capture, printed, end, stream_length)) is not None:
        return thinned
    return None if best is None else _as_pass(capture, printed, best, stream_length)


def _kept(
    capture: Capture,
    printed: Printed,
    end: int,
    stream_length: int,
    token_bytes: npt.NDArray[np.int64] | None,
) -> Pass | None:
    """Totals that one line kept of several that others had added up."""
    for window in _kept_windows(capture, end):
        if _is_whole(capture, window, stream_length):
            for fit in _fits(capture, window, printed, token_bytes):
                if fit.exact:
                    return _as_pass(capture, printed, fit, stream_length)
    return None


def _kept_windows(capture: Capture, end: int) -> Iterator[Window]:
    """Of every line that kept totals."""
    events = capture.events(EventKind.KEPT)
    lines = np.char.add(capture.site[events].astype(np.str_), capture.text[events].astype(np.str_))
    for line in np.unique(lines):
        mine = events[(lines == line) & (events < end)]
        yield from windows(capture, Sums(mine), end)


def _thinned(capture: Capture, printed: Printed, end: int, stream_length: int) -> Pass | None:
    """Scores of a part of the stream, divided by all of its targets."""
    wanted, targets = printed.nats_per_token, stream_length - 1
    if wanted is None or printed.half_unit > FINE or wanted <= 0:
        return None
    usual, turns = _candidates(capture, end, windows), _by_turns(capture, end)
    for window in chain(usual, _kept_windows(capture, end), turns):
        count = int(window.count.sum())
        if not LEAST_PART * targets <= count < targets:
            continue
        for unit, nats in UNITS.items():
            off = abs(float(window.nats.sum()) * nats / targets - wanted)
            if off > rounding(printed.half_unit, wanted):
                continue
            fit = _Fit(window, Weighing.TOKENS, 0.0, exact=True, unit=unit)
            found = _as_pass(capture, printed, fit, stream_length)
            once = len(np.unique(found.position)) == len(found.position)
            return replace(found, divided_by=targets) if once else None
    return None


def _by_turns(capture: Capture, end: int) -> Iterator[Window]:
    """Of a line that adds up several times by turns: `x[x <= x.mean()].sum()` is a mean of all,
    and the total of what is left.
    """
    for sums in islice(groups(capture, end), SITES):
        for n in range(2, MOST_TURNS + 1):
            for first in range(n):
                yield from windows(capture, Sums(sums.events[first::n]), end)


def _is_whole(capture: Capture, window: Window, stream_length: int) -> bool:
    """It holds nearly all of the stream."""
    if window.count.sum() < NEARLY_ALL * (stream_length - 1):
        return False
    places = np.unique(capture.position[window.rows(capture)])
    return len(places) >= NEARLY_ALL * (stream_length - 1)


def _is_no_chance(capture: Capture, fit: _Fit, printed: Printed, tried: int) -> bool:
    """Means of other tokens lie so far apart that of so many candidates none comes so close by
    chance.
    """
    nats = capture.nats[fit.window.rows(capture)]
    wanted = printed.nats_per_token or printed.bits_per_byte or 0.0
    apart = float(np.std(nats)) / float(np.mean(nats)) / max(len(nats), 1) ** 0.5  # relative
    width = 2 * (printed.half_unit / wanted + fit.gap)
    return bool(tried * len(Weighing) * len(UNITS) * width <= CHANCE * apart)


def _candidates(
    capture: Capture, end: int, cut: Callable[[Capture, Sums, int], Iterator[Window]]
) -> Iterator[Window]:
    for sums in groups(capture, end):
        yield from cut(capture, sums, end)


def print_event(capture: Capture, printed: Printed) -> int:
    """The last event that printed this line; the end of the capture if it was not heard."""
    return capture.printed_at.get(printed.text.strip(), len(capture.kind))


def groups(capture: Capture, end: int) -> Iterator[Sums]:
    """Sums of one site, then of several, the nearest to the line first."""
    events = capture.events(EventKind.SUM)
    events = events[events < end]
    counters = capture.counter[events]
    latest = dict(zip(counters.tolist(), events.tolist(), strict=True))
    nearest = sorted(latest, key=lambda c: -latest[c])
    for counter in nearest[: 2 * SITES]:
        yield Sums(events[counters == counter])
    for count in range(2, SITES + 1):
        for chosen in combinations(nearest[:SITES], count):
            yield Sums(events[np.isin(counters, chosen)])
    if len(np.unique(capture.rank)) > 1:
        mine = capture.rank[events] == 0
        for counter in nearest[:SITES]:
            yield Sums(events[mine & (counters == counter)])


def _fits(
    capture: Capture,
    window: Window,
    printed: Printed,
    token_bytes: npt.NDArray[np.int64] | None,
) -> Iterator[_Fit]:
    """How well a window explains the number, under each way of weighing."""
    for weighing in Weighing:
        rebuilt = window.mean(weighing)
        wanted = printed.nats_per_token
        if wanted is None:
            if token_bytes is None or printed.bits_per_byte is None:
                return
            wanted = printed.bits_per_byte
            rebuilt = rebuilt / LN2 * window.tokens_per_byte(capture, token_bytes)
        if not np.isfinite(rebuilt) or wanted <= 0:
            continue
        for unit, nats in UNITS.items():
            off = abs(rebuilt * nats - wanted)
            exact = off <= rounding(printed.half_unit, wanted)
            if exact or unit == "nats":
                yield _Fit(window, weighing, off / wanted, exact, unit)


def _inferred(printed: Printed, found: Rebuilt, stream_length: int) -> Pass:
    position, nats = found.line.position[found.chosen], found.nats
    nats = -nats if nats.sum() < 0 else nats
    return Pass(
        printed=printed,
        position=position,
        nats=nats,
        weight=np.ones(len(nats)),
        event=found.line.event[found.chosen],
        sites=(found.line.site,),
        gap=0.0,
        coverage=len(np.unique(position)) / max(stream_length - 1, 1),
        inferred=True,
        unit=found.reading.unit,
        of_token=found.of_token,
        numbers=found.line.numbers[found.chosen],
        row_width=found.width,
    )


def _as_pass(capture: Capture, printed: Printed, fit: _Fit, stream_length: int) -> Pass:
    rows = fit.window.rows(capture)
    position, event = capture.position[rows], capture.score_event[rows]
    nats, weight = capture.nats[rows] * UNITS[fit.unit], capture.weight[rows]
    if fit.weighing is Weighing.SCALED:
        nats = nats * weight
    if fit.weighing in (Weighing.TOKENS, Weighing.SCALED):
        weight = np.ones(len(rows))
    elif fit.weighing is Weighing.SUMS:
        _, inverse, counts = np.unique(event, return_inverse=True, return_counts=True)
        weight = 1.0 / counts[inverse]
    return Pass(
        printed=printed,
        position=position,
        nats=nats,
        weight=weight,
        event=event,
        sites=tuple(sorted({str(s) for s in capture.site[fit.window.events]})),
        gap=fit.gap,
        coverage=len(np.unique(position)) / max(stream_length - 1, 1),
        unit=fit.unit,
    )
