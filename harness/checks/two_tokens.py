"""NORM-1 on two tokens: behind one prefix they cannot both be likely.

A gate that reads its own target (a boost inside words, given only where the token continues one)
never errs: each token finds the boost that suits it. A small model gives the boosted token next to
no probability, so that nothing shows. So the script is trained longer, on a stream of two tokens
alone, drawn alike: one begins a word, one continues it. A distribution leaves them ln 2 nats each;
where less is claimed, one token is swapped and the script runs again. Same prefix, other token:
the two probabilities add up. (PR #2018, #2118: 0.46 nats a token, a sum of 1.3.)

Asked only of scores that were no plain softmax outputs, where nothing else was proved.

Guarantees: a fail is the sum of two probabilities that two whole runs scored, with the scores
before the swapped token the same to the bit and no update that had used it. Does not cover: more
tokens than two, so that a sum below one is no pass; vocabularies without such pieces; scripts whose
runs are not bit-identical.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audits.facts.documented.printed_scores import kind
from harness.arrays import Tokens
from harness.checks.e_values import MASS_NATS, score_rounding
from harness.checks.source import source_test
from harness.checks.status import Finding, Level, Status
from harness.streams.distributions import Uniform
from harness.streams.drawn import SourceStream
from harness.streams.perturb import with_token
from harness.trace.scored_positions import per_position, scored_once
from harness.trace.script_run import ScriptRun

BEGINS = re.compile("▁[a-z]{2,}")
CONTINUES = re.compile("[a-z]{2,}")
NAME = "two tokens"
ITERATIONS = 12  # steps in which the smallest model learns that there are but two tokens
FEWEST = 32  # earlier scores that must be the same


@dataclass(frozen=True)
class TwoTokens:
    """Two tokens behind one prefix, on a stream whose source was beaten."""

    inconclusive: str = ""  # why the two tell nothing
    position: int = 0
    tokens: tuple[int, int] = (0, 0)
    nats: tuple[float, float] = (np.inf, np.inf)
    earlier: int = 0  # scores fixed before, the same in both runs

    @property
    def mass(self) -> float:
        """Of the two alone, rounding taken off."""
        nats = np.array(self.nats)
        return float(np.exp(-nats - score_rounding(nats) - MASS_NATS).sum())


def pair_distribution(
    longest: Callable[
        [re.Pattern[str], int], Tokens
    ],  # ids whose whole piece fits, at most so many
) -> Uniform | None:
    """The stream; None where the vocabulary lacks such pieces."""
    ids = np.concatenate([longest(BEGINS, 1), longest(CONTINUES, 1)])
    return Uniform(NAME, ids) if len(ids) == 2 else None


def beaten(run: ScriptRun, base: ScriptRun) -> bool:
    """The claim of the base run's kind beats the two tokens' source."""
    if run.headline is None or base.headline is None or kind(run.headline) != kind(base.headline):
        return False
    return source_test(run.headline, run.scored, run.source).refuted


def swapped(run: ScriptRun) -> tuple[int, SourceStream] | None:
    """A position of usual probability in the second half, and the stream with the other token."""
    if run.scored is None or run.uses is None:
        return None
    view, stream = per_position(run.scored), run.source
    late = view.position > len(stream.tokens) // 2
    eligible = stream.drawn[view.position] & scored_once(run.scored, view) & late
    if not eligible.any():
        return None
    far = np.abs(view.log_p - np.median(view.log_p[eligible]))
    position = int(view.position[np.where(eligible, far, np.inf).argmin()])
    (other,) = np.setdiff1d(np.unique(stream.tokens[stream.drawn]), stream.tokens[position])
    return position, with_token(stream, position, int(other))


def read_pair(one: ScriptRun, two: ScriptRun | None, position: int) -> TwoTokens:
    """The two scores of the position, and whether they stand behind the same prefix."""
    assert one.scored is not None and one.uses is not None
    if two is None or two.scored is None:
        return TwoTokens("the run with the other token did not come to its end")
    was, now = per_position(one.scored), per_position(two.scored)
    if not np.array_equal(was.position, now.position):
        return TwoTokens("with the other token, other positions were scored")
    row = int(np.searchsorted(was.position, position))
    before = was.last < was.first[row]
    if before.sum() < FEWEST or not np.array_equal(was.nats[before], now.nats[before]):
        return TwoTokens("the scores before the other token are not the same to the bit")
    if one.uses.first_used[position] < was.last[row]:
        return TwoTokens("an update used the token before it was scored")
    tokens = int(one.source.tokens[position]), int(two.source.tokens[position])
    nats = float(was.nats[row]), float(now.nats[row])
    return TwoTokens("", position, tokens, nats, int(before.sum()))


def check_pair(pair: TwoTokens | None) -> Finding | None:
    """NORM-1: broken where two weigh more than one, else unknown; None: nothing was beaten."""
    if pair is None:
        return None
    if pair.inconclusive:
        text = f"on two tokens drawn alike less is claimed than they cost, but {pair.inconclusive}"
        return Finding("NORM-1", Status.UNKNOWN, Level.BLACK_BOX, text)
    p = [float(np.exp(-nats)) for nats in pair.nats]
    text = (
        f"on two tokens drawn alike, behind one prefix: token {pair.tokens[0]} at position"
        f" {pair.position} was given {p[0]:.4f}, token {pair.tokens[1]} in a second run {p[1]:.4f},"
        f" {pair.mass:.4g} together; {pair.earlier:,} scores fixed before are the same to the bit"
    )
    numbers = {"position": pair.position, "mass_at_least": pair.mass, "nats": list(pair.nats)}
    status = Status.FAIL if pair.mass > 1 else Status.UNKNOWN
    return Finding("NORM-1", status, Level.BLACK_BOX, text, evidence=(numbers,))
