"""PASS-3 from outside: tokens that never count are exchanged, and the printed number stays.

Each one gives way to another of as many bytes, so that no denominator moves. Where the number is
the same to the last printed digit, in as many draws as its digits need, the tokens were never in
it. A control has moved it: tokens elsewhere, exchanged alike.

Which tokens: those that no recorded score counts, where the number was reproduced, and a few of
them, since a script that leaves out what turned out dear may count another draw of it; else one
half of the stream, the other, and every second document.

Left alone, as honest scripts leave them out or our sizes made them: the first token and what stands
at a boundary; the end, up to one incomplete batch (`batch_explains`); gaps in step (a stride longer
than a window that we made short); the last token of each gap, an input of what follows. Guarantees:
a number that no token moves, or too few digits, proves nothing. Does not cover: tokens that are
left out one by one, whose neighbours have them as context: *unknown*.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audits.facts.documented.printed_scores import Printed, kind
from harness.arrays import Ints
from harness.checks.e_values import ERROR_PROBABILITY
from harness.checks.status import Finding, Level, Status
from harness.streams.drawn import SourceStream
from harness.trace.scored_positions import ScoredPass, per_position
from harness.trace.script_run import ScriptRun

SHORTEST_GAP = 8  # tokens; shorter ones are habits, or have their neighbours' contexts
NEAR = 4  # tokens by which a boundary may move the beginning of a gap
MOSTLY = 0.6  # of the distances between gaps are alike where a stride made them
FEWEST = 32  # tokens that seem not to count
FEW = 2  # gaps, in each of which one token is exchanged
MOST_DRAWS = 3
RULE = "PASS-3"


@dataclass(frozen=True)
class Exchange:
    """Some tokens exchanged, and what became of the printed number."""

    what: str  # "the second half of the stream"
    exchanged: int  # tokens
    moved: float  # by how much the number did, in its own unit; 0: the same to the last digit

    @property
    def same(self) -> bool:
        """Nothing that was printed of it changed."""
        return self.moved == 0


def gaps_to_exchange(
    scored: ScoredPass,
    stream: SourceStream,
    tail: int,  # positions that a canonical truncation may drop at the end
    longer: Sequence[tuple[ScoredPass, SourceStream]] = (),  # other runs of the same sizes
) -> Ints:  # (k,) positions
    """What no recorded score counts, and nothing honest explains."""
    counted = per_position(scored).position
    last = len(stream.tokens) - tail
    missing = np.setdiff1d(np.arange(1, last), counted)
    near = np.concatenate([stream.starts, stream.starts + 1])
    gaps = [gap for gap in _runs(np.setdiff1d(missing, near), near) if len(gap) >= SHORTEST_GAP]
    if gaps and gaps[-1][-1] >= last - 1 and batch_explains([(scored, stream), *longer]):
        gaps = gaps[:-1]  # the last batch may have been incomplete
    if _in_step(gaps):
        return np.empty(0, np.int64)
    return np.concatenate([gap[:-1] for gap in gaps]) if gaps else np.empty(0, np.int64)


def batch_explains(runs: Sequence[tuple[ScoredPass, SourceStream]]) -> bool:
    """Could each run have dropped one incomplete batch?

    It is smaller than a whole one, of which each run counted some: what the longest stream lacks at
    its end is then less than the shortest one's tokens that count. A share of every stream is not.
    """
    counted = [per_position(scored).position for scored, _ in runs]
    dropped = [
        len(stream.tokens) - 1 - int(places.max(initial=0))
        for places, (_, stream) in zip(counted, runs, strict=True)
    ]
    return max(dropped) < min(len(places) for places in counted)


def few_of(
    places: Ints,  # (k,) of gaps
    reach: int,  # tokens that a context spans
    seed: int,
) -> Ints:  # (c,)
    """One token in some gaps: no context of what is counted behind it, where the gap is so long."""
    gaps = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    far = [gap[-reach] for gap in gaps if len(gap) >= reach]
    chosen = np.array(far or [gap[-1] for gap in gaps], np.int64)
    rng = np.random.default_rng([seed, 0xFE3])
    return np.sort(rng.choice(chosen, min(FEW, len(chosen)), replace=False))


def _runs(missing: Ints, near: Ints) -> list[Ints]:
    """Neighbours together; what stands at a boundary parts nothing."""
    if not len(missing):
        return []
    filled = np.union1d(missing, np.intersect1d(near, np.arange(missing[0], missing[-1])))
    whole = np.split(filled, np.flatnonzero(np.diff(filled) > 1) + 1)
    return [kept for part in whole if len(kept := np.intersect1d(part, missing))]


def _in_step(gaps: Sequence[Ints]) -> bool:
    """Three or more, most of them as far from each other; documents begin anew."""
    if len(gaps) < 3:
        return False
    steps = np.diff([gap[0] for gap in gaps])
    return bool((np.abs(steps - np.median(steps)) <= NEAR).mean() >= MOSTLY)


def parts_to_exchange(stream: SourceStream, tail: int) -> dict[str, Ints]:
    """Where nothing is known of what counts."""
    length = len(stream.tokens)
    drawn = np.flatnonzero(stream.drawn)
    document = np.searchsorted(stream.starts, drawn, side="right")
    inside = np.isin(drawn + 1, drawn)  # not the last token of a document
    return {
        "the second half of the stream": drawn[(drawn > length // 2) & (drawn < length - tail)],
        "the first half of the stream": drawn[(drawn > 1) & (drawn < length // 2 - 1)],
        "every second document": drawn[(document % 2 == 0) & inside & (drawn < length - tail)],
    }


def read_exchange(what: str, base: ScriptRun, other: ScriptRun | None) -> Exchange | None:
    """None where the run printed no such number."""
    one, two = base.headline, None if other is None else other.headline
    if other is None or one is None or two is None or kind(one) != kind(two):
        return None
    exchanged = int((base.stream.tokens != other.stream.tokens).sum())
    moved = abs(_value(one) - _value(two))
    return Exchange(what, exchanged, 0.0 if _figures(one) == _figures(two) else max(moved, 1e-300))


def _figures(number: Printed) -> tuple[float | None, float | None]:
    return number.nats_per_token, number.bits_per_byte


def _value(number: Printed) -> float:
    value = number.nats_per_token if number.nats_per_token is not None else number.bits_per_byte
    return math.nan if value is None else value


def chance(
    draws: Sequence[Exchange],  # of one set of tokens, all the same
    controls: Sequence[Exchange],  # of others, which moved the number
    half_unit: float,  # of its last printed place
) -> float:
    """Probability that so many tokens counted and moved none of its digits in any draw."""
    moves = [one.moved / math.sqrt(one.exchanged) for one in controls if one.exchanged]
    if not moves or not draws or not min(moves) > 0:
        return 1.0
    expected = [min(moves) * math.sqrt(one.exchanged) for one in draws]
    return math.prod(min(1.0, 2 * half_unit / e) if e > 0 else 1.0 for e in expected)


def check_coverage(
    draws: Sequence[Exchange], controls: Sequence[Exchange], headline: Printed | None
) -> Finding | None:
    """PASS-3 fails; None where nothing is proved."""
    if headline is None or not draws or not all(one.same for one in draws):
        return None
    if chance(draws, controls, headline.half_unit) > ERROR_PROBABILITY:
        return None
    control = min(controls, key=lambda one: one.moved)
    text = (
        f"{draws[0].exchanged:,} tokens never count: {draws[0].what}, exchanged for others of as"
        f" many bytes in {len(draws)} run{'s' if len(draws) > 1 else ''}, left the printed number"
        f" the same to the last digit, and {control.exchanged:,} others moved it by"
        f" {control.moved:.3g}"
    )
    detail = f"{headline.tag}: {headline.text}; a repeat printed it too"
    return Finding(RULE, Status.FAIL, Level.BLACK_BOX, text, detail=detail)
