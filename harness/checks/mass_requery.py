"""NORM-1 by re-query: the sum over the alphabet at chosen positions, at one state of the script.

    questions_for   the positions at which the base run saved most, each with the whole alphabet
    read_sums       what the copies scored, and why a position tells nothing
    check_sums      the finding of NORM-1; only with an answer that a confirmation run confirmed

Per position sum exp(-score(v)) over the tokens v re-queried: more than one is a mass above
one, however few they were; a pass needs all of them. Told nothing: the token that stands there got
another score than in the base run; scores of earlier positions moved with the token; an update used
the token before it was scored (then the score follows its target, not the mass). A copy inherits
what was computed from the stream before it was forked, so one answer, drawn by its probability, is
compared with a confirmation run: the whole script on the stream that holds that token. Where time
was short, a sample bounds the mass: the tokens that a table may know, and others at random.

Does not cover: positions that were not chosen; scripts that add up outside of the main thread.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from harness.arrays import Bools, Floats, Ints
from harness.checks.e_values import MASS_NATS, score_rounding
from harness.checks.mass_others import OthersMass, others_mass
from harness.checks.status import Finding, Level, Status
from harness.protocol.question import Counter, Question, heaviest
from harness.protocol.schema import UPDATES, EventKind
from harness.trace.reader import Capture
from harness.trace.reconstruct import Pass
from harness.trace.scored_positions import nats_at, per_position, scored_once
from harness.trace.script_run import ScriptRun

POSITIONS = 3
FOLLOWERS = 32  # tokens that are chosen
AT_FIRST = 8  # of them, before any other
DRAWN = 48  # tokens drawn at random, from which on the others' mass is believed
EXACT = 1e-6  # deviation below which rows were seen to make the score: half of them will do
DEVIATIONS = 3.0  # of an estimate
ENOUGH = 1.05  # mass at which a position needs no further re-query
SAME_NATS = 1e-3  # between the base run and a copy that was given the same token
CONFIRMED_NATS = (
    0.25  # a confirmation run also trains on the token, where a copy's weights are fixed
)
STANDS = (  # events behind which a run may stop
    *(EventKind.SUM, EventKind.STEP, EventKind.WRITE),
    *(EventKind.PRINT, EventKind.READ, EventKind.SAVE),
)


@dataclass(frozen=True, eq=False)
class MassEstimate:
    """One position."""

    position: int
    tokens: Ints  # (k,) re-queried; the first is the one that stands there
    nats: Floats  # (k,) the score of each
    alphabet: int  # tokens there are
    inconclusive: str = ""  # why it tells nothing
    drawn: Bools | None = None  # (k,) at random; None: all but the one that stands there
    confirmed: float | None = None  # nats by which a confirmation run differed, where one was made
    rows: Floats | None = None  # (r, V) numbers that the script read its token's entry of

    @property
    def mass(self) -> float:
        """Of the tokens re-queried, rounding taken off: a lower bound of the whole."""
        resolution = score_rounding(self.nats) + MASS_NATS
        return float(np.exp(-self.nats - resolution).sum())

    @property
    def whole(self) -> bool:
        """Every token was re-queried."""
        return len(self.tokens) == self.alphabet

    @property
    def estimate(self) -> float:
        """Of the whole: tokens not re-queried weigh what those drawn at random do."""
        return float(np.exp(-self.nats).sum()) + self._others.weight

    @property
    def mass_above_one(self) -> bool:
        """Weighs more than one, and a confirmation run agrees."""
        return not self.inconclusive and self.mass > 1 and self.agrees

    @property
    def mass_at_most_one(self) -> bool:
        """Weighs one or less over the whole alphabet, and a confirmation run agrees."""
        return not self.inconclusive and self.whole and self.mass <= 1 and self.agrees

    @property
    def deviation(self) -> float:
        """Of the estimate; infinite where too few were drawn at random."""
        return self._others.deviation

    @cached_property
    def _others(self) -> OthersMass:
        return others_mass(self.tokens, np.exp(-self.nats), self._drawn, self.alphabet, self.rows)

    @property
    def _drawn(self) -> Bools:
        if self.drawn is not None:
            return self.drawn
        return np.arange(len(self.tokens)) > 0

    @property
    def bounded(self) -> bool:
        """Weighs about one, by a sample, and a confirmation run agrees."""
        most = self.estimate + DEVIATIONS * self.deviation
        needed = DRAWN if self.deviation > EXACT else DRAWN // 2
        enough = self.whole or int(np.count_nonzero(self._drawn)) >= needed
        return not self.inconclusive and enough and most <= ENOUGH and self.agrees

    @property
    def agrees(self) -> bool:
        """A confirmation run gave the same score to the token of an answer."""
        return self.confirmed is not None and abs(self.confirmed) <= CONFIRMED_NATS


@dataclass(frozen=True)
class Asking:
    """How much is asked at a position."""

    limit_s: float
    most: int | None = None  # tokens; None: the alphabet
    early: bool = False  # from an earlier event on


def questions_for(
    base: ScriptRun, alphabet: int, seed: int, asking: Asking
) -> tuple[Question, ...]:
    """Positions whose score can be re-queried: where most was saved, and one scored first in its
    sum, which no table that is filled before it is read can confuse with its neighbours.

    Copies are forked behind the last event before the forward that fixed the score; early: before
    the forward over the position that came before it with the same weights, for scripts that keep
    the scores of one pass and mix them in another.
    """
    scored, capture = base.scored, base.capture
    if scored is None or len(np.unique(capture.rank)) != 1:
        return ()
    view = per_position(scored)
    saved = view.log_p - base.source.log_q[view.position]
    # What is scored twice has no one score to give again.
    eligible = np.flatnonzero(base.source.drawn[view.position] & scored_once(scored, view))
    found: list[Question] = []
    by_saved = view.position[eligible[np.argsort(-saved[eligible])]]
    for position in _first_in_a_sum_third(capture, by_saved):
        place = _place(capture, scored, position, asking.early)
        if place is None:
            continue
        order = _order(base.source.tokens, position, alphabet, [seed, len(found)])
        tokens, limit_s = order[: asking.most], asking.limit_s
        chosen = min(AT_FIRST, len(_followers(base.source.tokens, position)))
        found.append(
            Question(place[0], position, place[1], tokens, ENOUGH, limit_s, chosen, scored.unit)
        )
        if len(found) == POSITIONS:
            break
    return tuple(found)


def _first_in_a_sum_third(capture: Capture, positions: Ints) -> list[int]:
    """The positions in their order, but for the third place."""
    order = np.lexsort((capture.position, capture.score_event))
    starts = np.unique(capture.score_event[order], return_index=True)[1]
    places: list[int] = positions.tolist()
    leading = np.flatnonzero(np.isin(positions, capture.position[order][starts]))
    if len(leading) and leading[0] >= POSITIONS:
        places.insert(POSITIONS - 1, places.pop(int(leading[0])))
    return places


def _place(
    capture: Capture, scored: Pass, position: int, early: bool
) -> tuple[int, tuple[Counter, ...]] | None:
    """(event behind which the run stands still, what may count the position after it)."""
    if scored.inferred:
        return _place_on_a_line(capture, scored, position, early)
    fixed = int(scored.event[scored.position == position].min())
    sums = np.unique(capture.score_event[capture.position == position])
    mine = [int(e) for e in sums if e >= fixed and capture.site[e] in scored.sites]
    if early:
        changes = capture.events(*UPDATES)
        changes = changes[changes < fixed]
        forwards = capture.loss[sums]
        same = forwards[(forwards > changes.max(initial=-1)) & (forwards < fixed)]
        fixed = int(same.max()) if len(same) else fixed
    before = capture.events(*STANDS)
    before = before[before < fixed]
    if not len(before) or not mine:
        return None
    return int(before[-1]), _counters(capture, scored, fixed)


def _place_on_a_line(
    capture: Capture, scored: Pass, position: int, early: bool
) -> tuple[int, tuple[Counter, ...]] | None:
    """The same of plain numbers: behind the run of numbers before; early: before the losses of a
    model that they may be mixed from. The first of a run was kept when the run before it was
    written down.
    """
    event = int(scored.event[scored.position == position].min())
    mine = capture.position[capture.score_event == event]
    line = capture.site[event], capture.text[event]
    same = (capture.site == line[0]) & (capture.text == line[1]) & (capture.kind == EventKind.VALUE)
    before = np.flatnonzero(same)
    before = before[before < event]
    if early and len(before):
        losses = capture.events(EventKind.LOSS)
        losses = losses[losses < before[-1]]
        # A copy is made at the event behind the one that it stands at.
        before = before[before < losses.max(initial=-1)][:-1]
    if not len(before) or mine[0] == position:
        return None
    return int(before[-1]), (Counter(f"{line[0]}#{line[1]}", read_out=False),)


def _counters(capture: Capture, scored: Pass, since: int) -> tuple[Counter, ...]:
    """What may count a score: a script may count one token here and another one there."""
    sums = capture.events(EventKind.SUM)
    sums = sums[(sums >= since) & np.isin(capture.site[sums], scored.sites)]
    pairs = zip(capture.site[sums].tolist(), capture.read_out[sums].tolist(), strict=True)
    return tuple(dict.fromkeys(Counter(*pair) for pair in pairs))


def _order(tokens: Ints, position: int, alphabet: int, seed: list[int]) -> tuple[int, ...]:
    """The latest of those that a table may know here; then others at random and the rest of them
    by turns, so that whatever is asked before the time is over holds both.
    """
    known = _followers(tokens, position)
    others = np.random.default_rng([*seed, 0xA5C]).permutation(alphabet)
    drawn = others[~np.isin(others, known)].tolist()
    rest = known[AT_FIRST:]
    turns = [token for pair in zip(drawn, rest, strict=False) for token in pair]
    return (*known[:AT_FIRST], *turns, *rest[len(drawn) :], *drawn[len(rest) :])


def _followers(tokens: Ints, position: int) -> list[int]:
    """The token that stands there, then what followed its predecessor before, latest first."""
    before = np.flatnonzero(tokens[: position - 1] == tokens[position - 1])[::-1]
    found = [int(tokens[position]), *tokens[before + 1].tolist()]
    return list(dict.fromkeys(found))[:FOLLOWERS]


def read_sums(run: ScriptRun, base: ScriptRun, alphabet: int) -> list[MassEstimate]:
    """What the copies of a run scored."""
    answers, sums = run.answers, []
    for position in dict.fromkeys(answers["position"].tolist()):
        rows = answers["position"] == position
        tokens = answers["token"][rows].astype(np.int64)
        nats, before = answers["nats"][rows], answers["before"][rows]
        used = bool(answers["used"][rows].any())
        why = _why_inconclusive(base, position, tokens, nats, before, used)
        kept = _rows(answers["rows"][rows], alphabet)
        first = set(_followers(base.source.tokens, position))
        first |= set(() if kept is None else heaviest(kept))
        drawn = ~np.isin(tokens, list(first))
        sums.append(MassEstimate(int(position), tokens, nats, alphabet, why, drawn, rows=kept))
    return sums


def _rows(said: Sequence[Sequence[Floats]], alphabet: int) -> Floats | None:
    """(r, V) that the first copy told of, where they are rows of the alphabet."""
    rows = [np.asarray(row, np.float64) for row in said[0] if len(row) == alphabet]
    return np.stack(rows) if rows else None


def _why_inconclusive(
    base: ScriptRun, position: int, tokens: Ints, nats: Floats, before: Floats, used: bool
) -> str:
    assert base.scored is not None
    was = nats_at(base.scored, np.array([position]))[0]
    if tokens[0] != base.source.tokens[position] or not abs(nats[0] - was) <= SAME_NATS:
        return "the token that stands there was not given its score again"
    if not np.isfinite(nats).all():
        return "some scores are not finite"
    if np.ptp(before) > SAME_NATS:
        return "scores of earlier positions moved with the token"
    return "an update used the token before it was scored" if used else ""


def to_confirm(sums: Sequence[MassEstimate], seed: int) -> tuple[int, int] | None:
    """(position, token) of an answer to confirm: drawn by its probability, of the heaviest."""
    speaking = [one for one in sums if not one.inconclusive and len(one.tokens) > 1]
    if not speaking:
        return None
    heaviest = max(speaking, key=lambda one: one.mass)
    weight = np.exp(-heaviest.nats[1:])
    rng = np.random.default_rng([seed, 0xC0F])
    token = rng.choice(heaviest.tokens[1:], p=weight / weight.sum())
    return heaviest.position, int(token)


def stale(sums: Sequence[MassEstimate]) -> bool:
    """A confirmation run contradicts: copies kept something that was made of the old token."""
    return any(one.confirmed is not None and not one.agrees for one in sums)


def confirmed(sums: Sequence[MassEstimate], run: ScriptRun) -> list[MassEstimate]:
    """The sums with what a confirmation run says of one of their answers."""
    if run.scored is None:
        return list(sums)
    found = []
    for one in sums:
        token = int(run.source.tokens[one.position])
        mine = one.nats[one.tokens == token]
        other = token != int(one.tokens[0])
        now = nats_at(run.scored, np.array([one.position]))[0]
        found.append(replace(one, confirmed=float(now - mine[0])) if other else one)
    confirmed_by = [one.confirmed for one in found if one.confirmed is not None]
    # One way of scoring for all positions: what holds at one of them holds at the others.
    return [replace(a, confirmed=confirmed_by[0]) for a in found] if confirmed_by else found


def check_sums(sums: Sequence[MassEstimate], skipped: str = "") -> Finding:
    """NORM-1 from the sums over the alphabet."""
    above = [a for a in sums if a.mass_above_one]
    within = [a for a in sums if a.mass_at_most_one]
    findings = tuple(_numbers(one) for one in sums)
    if above:
        worst = max(above, key=lambda one: one.mass)
        text = (
            f"re-queried at one state: at position {worst.position}, {len(worst.tokens):,} of"
            f" {worst.alphabet:,} tokens already weigh {worst.mass:.4g}"
            + ("" if worst.whole else f" (about {worst.estimate:.4g} in all)")
        )
        return Finding("NORM-1", Status.FAIL, Level.BLACK_BOX, text, evidence=findings)
    if (bounded := _bounded(sums)) and len(within) < 2:
        return Finding("NORM-1", Status.PASS, Level.BLACK_BOX, bounded, evidence=findings)
    if len(within) > 1:
        most = max(one.mass for one in within)
        text = (
            f"re-queried at {len(within)} positions, where most was saved: the whole alphabet"
            f" weighs at most {most:.6g}"
        )
        return Finding("NORM-1", Status.PASS, Level.BLACK_BOX, text, evidence=findings)
    return Finding(
        "NORM-1", Status.UNKNOWN, Level.BLACK_BOX, _why(sums, skipped), evidence=findings
    )


def _bounded(sums: Sequence[MassEstimate]) -> str:
    """What a sample of the alphabet shows, where it bounds the mass; else nothing."""
    speaking = [one for one in sums if one.bounded]
    if len(speaking) < 2 or any(not one.inconclusive and not one.bounded for one in sums):
        return ""
    mean = float(np.mean([one.estimate for one in speaking]))
    deviation = math.sqrt(sum(one.deviation**2 for one in speaking)) / len(speaking)
    asked = min(len(one.tokens) for one in speaking)
    return (
        f"re-queried at {len(speaking)} positions, where most was saved: by {asked:,} or more of"
        f" {speaking[0].alphabet:,} tokens, those that a table may know and others drawn at random,"
        f" the whole weighs {mean:.3f} +- {deviation:.3f}"
    )


def _why(sums: Sequence[MassEstimate], skipped: str) -> str:
    reasons = dict.fromkeys(one.inconclusive for one in sums if one.inconclusive)
    speaking = [a for a in sums if not a.inconclusive]
    if any(a.confirmed is None for a in speaking):
        reasons["no confirmation run came to its end"] = None
    if any(a.confirmed is not None and not a.mass_above_one and a.mass > 1 for a in speaking):
        reasons["a confirmation run gave an answer another score"] = None
    if part := [a for a in speaking if not a.whole and a.mass <= 1]:
        reasons[f"{len(part[0].tokens):,} of {part[0].alphabet:,} tokens were re-queried"] = None
    why = "; ".join(reasons) or skipped or "no score could be re-queried"
    return f"the full distribution was not evaluated, so normalisation is unknown: {why}"


def _numbers(one: MassEstimate) -> dict[str, object]:
    return {
        "position": one.position,
        "asked": len(one.tokens),
        "alphabet": one.alphabet,
        "mass_at_least": one.mass,
        "estimate": one.estimate,
        "confirmed_within_nats": one.confirmed,
        "silent": one.inconclusive,
    }
