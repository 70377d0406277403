"""PASS-3: were tokens left out of the number for what they are?

On a stream where each token is rare or common by a known chance, and documents end by chance
(`streams/uneven`), positions that were chosen without looking at the tokens hold rare ones at that
chance, those that were kept as well. Losses above a line, outliers, windows behind a running median
leave out the dear ones; losses of boundaries alone are told by what was left out: nothing else.

    rare         Chernoff's bound of both shares at once, against the known one: PASS-3
    boundaries   where nearly all that was left out opens documents, by the chance of that. Where
                 exactly those were scored and then dropped: PASS-3; where they were never scored:
                 BYTES-6

Guarantees: an index, a fraction, every k-th, a tail, a limit that we made small are no finding,
nor is the first token or the end. Does not cover: numbers that were not reproduced; what is left
out without looking (`coverage`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.checks.e_values import THRESHOLD_NATS
from harness.checks.status import Finding, Level, Status
from harness.streams.drawn import SourceStream
from harness.streams.uneven import END, RARE, inside, is_rare
from harness.trace.scored_positions import ScoredPass, per_position
from harness.trace.script_run import ScriptRun

ALL_BUT_FEW = 0.8  # of what was left out opens documents
FEWEST_STARTS = 8
SUSPECTED_NATS = 3.0  # from which another draw is made


@dataclass(frozen=True)
class LeftOut:
    """What one run, or several, did not count of such a stream."""

    tokens: int = 0  # left out, inside documents
    rare: int = 0  # of them
    kept: int = 0  # inside documents
    kept_rare: int = 0
    starts: int = 0  # boundaries that were left out
    computed: bool = False  # a score was made of each of them, and dropped

    def __add__(self, other: "LeftOut") -> "LeftOut":
        """Of both runs."""
        return LeftOut(
            self.tokens + other.tokens,
            self.rare + other.rare,
            self.kept + other.kept,
            self.kept_rare + other.kept_rare,
            self.starts + other.starts,
            self.computed and other.computed,
        )

    @property
    def log_e(self) -> float:
        """Nats against a choice that did not look at the tokens."""
        nats = _above(self.rare, self.tokens, RARE)
        nats += _above(self.kept - self.kept_rare, self.kept, 1 - RARE)
        return nats - math.log1p(nats)  # two bounds add up to a gamma variable's at the most

    @property
    def log_e_starts(self) -> float:
        """The same, where boundaries alone were left out."""
        every = self.starts + self.tokens
        if self.starts < FEWEST_STARTS or self.starts < ALL_BUT_FEW * every:
            return 0.0
        return _above(self.starts, every, END)

    @property
    def by_price(self) -> bool:
        """The dear ones."""
        return self.log_e >= THRESHOLD_NATS

    @property
    def by_kind(self) -> bool:
        """Those that open documents."""
        return self.log_e_starts >= THRESHOLD_NATS


def _above(some: int, of: int, chance: float) -> float:
    """Nats: so many or more, by Chernoff."""
    if not of or some <= chance * of:
        return 0.0
    share = some / of
    nats = share * math.log(share / chance)
    if share < 1:
        nats += (1 - share) * math.log((1 - share) / (1 - chance))
    return of * nats


def left_out(run: ScriptRun, tail: int) -> LeftOut | None:
    """None where the number was not reproduced; `tail`: positions that a truncation may drop."""
    scored = run.scored
    if scored is None or not run.finished:
        return None
    made = int(run.capture.tokens[np.unique(scored.event)].sum())
    return left_out_of(scored, run.source, tail, made)


def left_out_of(
    scored: ScoredPass,
    stream: SourceStream,
    tail: int,
    made: int,  # scores by the forwards behind it
) -> LeftOut:
    """The same of a pass."""
    counted = per_position(scored).position
    missing = np.setdiff1d(np.arange(1, len(stream.tokens) - tail), counted)
    within, dear = inside(stream), is_rare(stream)
    ends = stream.starts[stream.drawn[stream.starts]]  # rows of one length begin where all know
    lost, kept = missing[within[missing]], counted[within[counted]]
    return LeftOut(
        len(lost),
        int(dear[lost].sum()),
        len(kept),
        int(dear[kept].sum()),
        len(np.intersect1d(missing, ends)),
        # Not where a token was scored twice: who knows then of which there was a score?
        len(scored.position) == len(counted) and made >= len(counted) + len(missing),
    )


def undecided(runs: Sequence[LeftOut]) -> bool:
    """Another draw may prove what these leave open."""
    found = sum(runs, LeftOut())
    proved = found.by_price or found.by_kind
    return not proved and max(found.log_e, found.log_e_starts) > SUSPECTED_NATS


def check_left_out(runs: Sequence[LeftOut]) -> tuple[Finding, ...]:
    """The statuses of what is broken; nothing where nothing was proved."""
    found = sum(runs, LeftOut(computed=True))
    if found.by_price:
        return (_by_price(found),)
    if found.by_kind:
        return (_by_kind(found),)
    return ()


def _by_price(found: LeftOut) -> Finding:
    text = (
        f"{found.tokens:,} tokens were left out of the printed number, {found.rare:,} of them rare"
        f" ones, where {RARE * found.tokens:,.0f} would be by chance, and of {found.kept:,} that"
        f" count {found.kept_rare:,} are: they were left out for what they cost (log e-value"
        f" {found.log_e:.1f}, threshold {THRESHOLD_NATS:.1f})"
    )
    detail = "which tokens are rare was drawn, so that no rule without a look at them can tell"
    return Finding("PASS-3", Status.FAIL, Level.BLACK_BOX, text, (_numbers(found),), detail=detail)


def _by_kind(found: LeftOut) -> Finding:
    rule = "PASS-3" if found.computed else "BYTES-6"
    how = "scored and left out of" if found.computed else "never scored for"
    text = (
        f"{found.starts:,} tokens that open documents were {how} the printed number, and"
        f" {found.tokens:,} others (log e-value {found.log_e_starts:.1f}, threshold"
        f" {THRESHOLD_NATS:.1f}): where documents end was drawn, and nobody pays for it"
    )
    return Finding(rule, Status.FAIL, Level.BLACK_BOX, text, (_numbers(found),))


def _numbers(found: LeftOut) -> dict[str, object]:
    return {
        "left_out": found.tokens,
        "left_out_rare": found.rare,
        "left_out_starts": found.starts,
        "counted": found.kept,
        "counted_rare": found.kept_rare,
    }
