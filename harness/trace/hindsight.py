"""Positions whose counted score was the best of several (PASS-2): chosen after they were known.

    best     the hooks saw scores that were the lowest of several, token by token, and the same
             entered the number
    kept     a line kept one of several totals of the same tokens, and it was always the lowest
    columns  other scores of the same tokens were captured, or kept as plain numbers: none is lower
             than what counted, and each time one of them is it

A choice that was made before the tokens were known is worse now and then; here it never is, and two
of the candidates win often. Does not cover: whether the choice saves more than honest code can.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.arrays import Floats, Ints
from harness.protocol.schema import EventKind
from harness.trace.reader import Capture
from harness.trace.reconstruct import Pass
from harness.trace.value_lines import Reading, value_lines

SAME_NATS = 1e-5
SHARE = 0.02  # of what was counted, that each of two candidates must win
NEARLY_ALL = 0.99  # of what was counted
MOST_OF_A_LINE = 4  # candidates that one line adds up
FEWEST = 8  # totals, below which one that was foreseen may be the lowest each time
NONE: Ints = np.empty(0, np.int64)
ONE_A_TOKEN = (Reading.NATS, Reading.BITS, Reading.PROBABILITIES)


def best_of_several(capture: Capture, scored: Pass) -> Ints:
    """(k,) positions; none where what counted was not always the best."""
    if not len(scored.position):
        return NONE
    for found in (_best, _kept, _columns):
        if found(capture, scored):
            return np.unique(scored.position).astype(np.int64)
    return NONE


def _best(capture: Capture, scored: Pass) -> bool:
    """What counted are the very numbers that were taken, of the same forward."""
    forwards = capture.loss[scored.event]
    taken = capture.events(EventKind.BEST)
    rows = np.isin(capture.score_event, taken[np.isin(capture.loss[taken], forwards)])
    behind, steps = capture.loss[capture.score_event[rows]], capture.nats[rows] / SAME_NATS
    known = set(_keys(behind, capture.position[rows], np.floor(np.abs(steps))))
    counted = np.floor(scored.nats / SAME_NATS)
    near = [_keys(forwards, scored.position, counted + off) for off in (-1, 0, 1)]
    found = [any(key in known for key in keys) for keys in zip(*near, strict=True)]
    return _share(np.array(found)) >= NEARLY_ALL


def _keys(
    forward: Ints, position: npt.NDArray[np.int32], step: Floats
) -> list[tuple[int, int, float]]:
    """One a row."""
    return list(zip(forward.tolist(), position.tolist(), step.tolist(), strict=True))


@dataclass(frozen=True)
class _Block:
    """One total that was kept, and all that it was chosen from; nats."""

    kept: float
    rivals: tuple[float, ...]  # in the order in which they were added up

    @property
    def winner(self) -> int:
        """Of the rivals; -1: there are no two, or they do not differ."""
        if len(self.rivals) < 2:
            return -1
        first, second = np.argsort(self.rivals)[:2]
        return int(first) if self.rivals[second] - self.rivals[first] > SAME_NATS else -1

    @property
    def is_lowest(self) -> bool:
        return self.kept <= min(self.rivals, default=-np.inf) + SAME_NATS


def _kept(capture: Capture, scored: Pass) -> bool:
    """Two rivals at least win, and what was kept is each time the lowest."""
    if not (capture.kind[scored.event] == EventKind.KEPT).all():
        return False
    blocks = [block for block in _blocks(capture, scored) if block.winner >= 0]
    wins = np.sort(np.bincount([block.winner for block in blocks], minlength=2))
    often = wins[-2] >= max(2, SHARE * len(blocks))
    return len(blocks) >= FEWEST and bool(often) and all(block.is_lowest for block in blocks)


def _blocks(capture: Capture, scored: Pass) -> Iterator[_Block]:
    """Each total that was kept; its rivals were added up since a total of other tokens was kept, or
    a number was printed.
    """
    sums, prints = capture.events(EventKind.SUM), capture.events(EventKind.PRINT)
    since = before = int(prints[prints < scored.event.min()].max(initial=-1))
    for event in np.unique(scored.event):
        if np.searchsorted(sums, before) < np.searchsorted(sums, event):
            since = before
        before = int(event)
        mine = scored.position[scored.event == event]
        kept = float(scored.nats[scored.event == event].sum())
        rivals = []
        for rival in sums[(sums > since) & (sums < event)]:
            low, high = np.searchsorted(capture.score_event, [rival, rival + 1])
            among = np.isin(capture.position[low:high], mine)
            if among.sum() == len(mine):
                rivals.append(float(capture.nats[low:high][among].sum()))
        yield _Block(kept, tuple(rivals))


def _columns(capture: Capture, scored: Pass) -> bool:
    """Of all scores of the same tokens none is lower, and two of them are often what counted."""
    if len(np.unique(scored.position)) < len(scored.position):
        return False
    wins: dict[bytes, npt.NDArray[np.bool_]] = {}  # of the same scores, captured twice, once
    for column in _candidates(capture, scored):
        known = np.isfinite(column)
        lower = column < scored.nats - SAME_NATS
        equal = known & (np.abs(column - scored.nats) <= SAME_NATS)
        if _share(known) < NEARLY_ALL or _share(lower) > 1 - NEARLY_ALL:
            continue
        if _share(equal) >= 1 - SHARE:
            continue  # what counted itself, under another name
        if not equal.any() or np.ptp(column[equal]) <= SAME_NATS:
            continue  # a limit, at which scores were cut off (NORM-6)
        wins[equal.tobytes()] = equal
    times = np.sum(list(wins.values()), axis=0) if wins else np.zeros(1)
    if _share(times > 0) < NEARLY_ALL:
        return False
    return sum(_share(win & (times == 1)) >= SHARE for win in wins.values()) >= 2


def _candidates(capture: Capture, scored: Pass) -> Iterator[Floats]:
    """Scores of the counted positions, from each line that added up or kept any."""
    sums = capture.kind[capture.score_event] == EventKind.SUM
    counter = np.where(sums, capture.counter[capture.score_event], -1)
    for one in np.unique(counter[sums]):
        mine = np.flatnonzero(counter == one)
        for _ in range(MOST_OF_A_LINE):  # the latest of each position, then the one before it
            if not len(mine):
                break
            yield _by_place(capture.position[mine], capture.nats[mine], scored)
            turned = capture.position[mine][::-1]
            mine = np.delete(mine, len(mine) - 1 - np.unique(turned, return_index=True)[1])
    for line in value_lines(capture):
        if line.single:
            for reading in ONE_A_TOKEN:
                nats = line.nats[reading]
                yield _by_place(line.position, -nats if np.nansum(nats) < 0 else nats, scored)


def _by_place(position: npt.NDArray[np.int32], nats: Floats, scored: Pass) -> Floats:
    """(n,) the latest at each counted position; NaN where there is none."""
    found = np.full(int(max(position.max(initial=0), scored.position.max())) + 1, np.nan)
    found[position] = nats
    return found[scored.position]


def _share(which: npt.NDArray[np.bool_]) -> float:
    return float(which.mean()) if len(which) else 0.0
