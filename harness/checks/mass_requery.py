"""NORM-1 by re-query: the sum over the alphabet at chosen positions, at one state of the script.

    read_sums       what the copies scored, and why a position tells nothing
    check_sums      the finding of NORM-1; only with an answer that a confirmation run confirmed

Told nothing: the token that stands there got another score than in the base run; no other token got
another one; scores of earlier positions moved with the token; an update used the token before it
was scored (then the score follows its target, not the mass). A copy inherits what was computed from
the stream before it was forked, so one answer, drawn by its probability, is compared with a
confirmation run: the whole script on the stream that holds that token.

Does not cover: positions that were not chosen (`mass_questions`).
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.arrays import Floats, Ints
from harness.checks.mass_estimate import EXACT_NATS, EXACT_RUNS, MassEstimate
from harness.checks.mass_questions import followers
from harness.checks.status import Finding, Level, Status
from harness.protocol.question import heaviest
from harness.trace.scored_positions import nats_at
from harness.trace.script_run import ScriptRun

SAME_NATS = 1e-3  # between the base run and a copy that was given the same token
STILL_NATS = 1e-6  # a score that moves by less under every token is not that of the token
UNREAD = "the score there does not follow the token"


def read_sums(run: ScriptRun, base: ScriptRun, alphabet: int) -> list[MassEstimate]:
    """What the copies of a run scored."""
    answers, sums = run.answers, []
    for position in dict.fromkeys(answers["position"].tolist()):
        rows = (answers["position"] == position) & (answers["token"] < alphabet)
        tokens = answers["token"][rows].astype(np.int64)
        nats, before = answers["nats"][rows], answers["before"][rows]
        used = bool(answers["used"][rows].any())
        uniform = math.log(alphabet)
        why = _why_inconclusive(base, position, tokens, nats, before, used, uniform)
        kept = _rows(answers["rows"][rows], alphabet)
        first = set(followers(base.source.tokens, position))
        first |= set(() if kept is None else heaviest(kept))
        drawn = ~np.isin(tokens, list(first))
        sums.append(MassEstimate(int(position), tokens, nats, alphabet, why, drawn, rows=kept))
    return sums


def _rows(said: Sequence[Sequence[Floats]], alphabet: int) -> Floats | None:
    """(r, V) that the first copy told of, where they are rows of the alphabet."""
    rows = [np.asarray(row, np.float64) for row in said[0] if len(row) == alphabet]
    return np.stack(rows) if rows else None


def _why_inconclusive(
    base: ScriptRun,
    position: int,
    tokens: Ints,
    nats: Floats,
    before: Floats,
    used: bool,
    uniform: float,  # nats of a token that weighs what every other does
) -> str:
    assert base.scored is not None
    was = nats_at(base.scored, np.array([position]))[0]
    if tokens[0] != base.source.tokens[position] or not abs(nats[0] - was) <= SAME_NATS:
        return "the token that stands there was not given its score again"
    if not np.isfinite(nats).all():
        return "some scores are not finite"
    if len(nats) > 1 and np.ptp(nats) < STILL_NATS and abs(nats[0] - uniform) > SAME_NATS:
        return UNREAD  # read before the fork, or the number belongs to another place
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
    """A confirmation run contradicts, or nothing moved anywhere: copies kept something that was
    made of the old token.
    """
    if all(one.inconclusive for one in sums) and any(one.inconclusive == UNREAD for one in sums):
        return True
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


def to_repeat(one: MassEstimate, seed: int) -> Ints:
    """Tokens whose answers whole runs are to give again: the likeliest, the least likely, the one
    between, and others at random.
    """
    order = one.tokens[1:][np.argsort(one.nats[1:], kind="stable")]
    named = order[[0, len(order) // 2, -1]]
    others = np.random.default_rng([seed, 0xE8]).permutation(np.setdiff1d(order, named))
    return np.concatenate([named, others[: EXACT_RUNS - 1 - len(named)]])


def repeated(one: MassEstimate, base: ScriptRun, runs: Sequence[ScriptRun]) -> MassEstimate:
    """The sum with what whole runs say of its answers, each on a stream with one of its tokens."""
    at = np.array([one.position])
    off = [] if one.confirmed is None else [one.confirmed]
    for run in (base, *runs):
        mine = one.nats[one.tokens == run.source.tokens[one.position]]
        now = np.nan if run.scored is None else nats_at(run.scored, at)[0]
        off.append(float(now - mine[0]))
    exact = all(abs(nats) <= EXACT_NATS for nats in off)
    return replace(one, exact=len(off) - 1 if exact else 0)


def proves_mass(sums: Sequence[MassEstimate]) -> bool:
    """One position, where another agrees: by itself, whatever else was proved or not."""
    heavy = [one for one in sums if one.seems_above_one or one.mass_above_one]
    return len(heavy) > 1 and any(one.proved_above_one for one in heavy)


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
