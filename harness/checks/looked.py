"""What a script saw before it counted: passes over the stream whose scores do not enter the number.

A choice among states of a model, or among temperatures, scores the same tokens once for each. Which
tokens another one than the best of them scores better, says which future would have it chosen.

Guarantees: nothing is judged here. Does not cover: scores that were added up before any hook saw
them one by one.
"""

from dataclasses import dataclass

import numpy as np

from harness.arrays import Floats, Ints, Tokens
from harness.protocol.schema import EventKind
from harness.tolerances import MOVE_NATS
from harness.trace.reader import Capture
from harness.trace.scored_positions import ScoredPass

FEWEST = 32  # positions that two passes share


@dataclass(frozen=True)
class Look:
    """One pass."""

    position: Ints  # (n,) ascending
    nats: Floats  # (n,)


def looks(capture: Capture, scored: ScoredPass) -> list[Look]:
    """In their order; of one line, a position that comes again begins another one."""
    events = capture.events(EventKind.SUM)
    events = events[(events < scored.event.min()) & ~np.isin(events, scored.event)]
    found: list[Look] = []
    for counter in np.unique(capture.counter[events]):
        mine = np.isin(capture.score_event, events[capture.counter[events] == counter])
        position, nats = capture.position[mine].astype(np.int64), capture.nats[mine]
        begins = np.flatnonzero(np.diff(position, prepend=position[:1] + 1) <= 0)
        for part in np.split(np.arange(len(position)), begins[1:] if len(begins) else []):
            if len(part) >= FEWEST:
                found.append(Look(position[part], nats[part]))
    return found


def ids_of_others(
    passes: list[Look],
    tokens: Tokens,  # (T,) of the stream
    ordinary: Tokens,  # ids that may be put anywhere
    few: int,
    most: int,
) -> list[Tokens]:
    """For as many passes as `most`, but for the best: the ids that this one scores better, most
    first.
    """
    shared = _shared(passes)
    if len(shared) < 2:
        return []
    position, nats = shared[0].position, np.stack([one.nats for one in shared])
    best = int(nats.sum(axis=1).argmin())
    ids, row = np.unique(tokens[position], return_inverse=True)
    count = np.bincount(row)
    wanted: list[tuple[float, Tokens]] = []
    for number in np.flatnonzero(np.arange(len(nats)) != best).tolist():
        gain = np.bincount(row, nats[best] - nats[number]) / count
        gain[~np.isin(ids, ordinary)] = -np.inf
        order = np.argsort(-gain, kind="stable")[:few]
        wanted.append((float(gain[order].mean()), ids[order]))
    wanted.sort(key=lambda one: -one[0])
    return [chosen for gain, chosen in wanted[:most] if gain > MOVE_NATS]


def _shared(passes: list[Look]) -> list[Look]:
    """Those over the positions that most of them are of."""
    by_size: dict[bytes, list[Look]] = {}
    for one in passes:
        by_size.setdefault(one.position.tobytes(), []).append(one)
    return max(by_size.values(), key=len, default=[])
