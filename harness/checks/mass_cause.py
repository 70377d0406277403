"""Why a distribution weighs more than one, as far as the answers of copies and the row of the
network behind a score tell: p(v), asked for token by token, against the network's own m(v).

    NORM-4   p = m for most tokens, and a few raised by one factor: a boost that nothing divides;
             or p = a m + share, where the shares weigh the same too much at each position:
             weights that do not add up to one
    NORM-2   p = a m for most, a < 1, and what the others gained is more than 1 - a, another amount
             at each position: quotients of counts, which nobody normalised
    NORM-3   beside it: tokens that nobody had counted yet gained more than 1 - a, one much and
             another little: what their look-ups found had been left by others, so the key holds
             the token
    NORM-6   ln p = b ln m + c for all, where b and c are not 1 and 0: the score itself was changed

Guarantees: it names the cause of a mass that is proved (`mass_requery`), and nothing else; what
fits none of these forms is not named. Does not cover: scores of which no row was seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.arrays import Bools, Floats, Ints
from harness.checks.mass_estimate import MassEstimate

ROUNDING = 1e-4  # relative; rows of float32 give what they make by less
NEAR = 1e-5  # of the network's probability, and
FLOAT32 = 2e-7  # of the whole one: off a line by less
MOST_TIMES = 10.0  # larger weights for what is normalised are none of an author's
FEWEST = 8  # tokens that lie on a line, and a tenth of those asked
SHARE = 0.1
RAISED = 0.01  # relative; by less nobody gains
ONE_FACTOR = 0.9  # of the raised tokens share it
ALIKE = 0.02  # relative; weights that do not add up to one do so everywhere alike
TRIALS = 300
UNLIKE = 0.1  # relative: pseudo-counts give all that is new alike


@dataclass(frozen=True)
class Cause:
    """The rule behind a mass above one."""

    rule: str
    why: str
    times: float = 0.0  # what is mixed in, over the weight that was left for it
    left: float = 0.0  # that weight
    gained: Floats | None = None  # (k,) what each token that was asked for has beyond the network's


@dataclass(frozen=True, eq=False)
class _Line:
    """p = weight * m + floor, of tokens that nothing was added to."""

    weight: float
    floor: float
    factor: Floats  # (k,) p over what the line says


def cause_of(sums: Sequence[MassEstimate]) -> Cause | None:
    """By every position that weighs more than one, or seems to; nothing where they disagree."""
    if not any(one.mass_above_one for one in sums):
        return None
    heavy = [one for one in sums if one.mass_above_one or one.seems_above_one]
    causes = [_cause(one) for one in heavy]
    found = [cause for cause in causes if cause is not None]
    if len(found) < len(heavy) or len({cause.rule for cause in found}) > 1:
        return None
    times = np.array([cause.times for cause in found])
    alike = times.min() > 0 and np.ptp(times) < ALIKE * times.mean()
    if len(found) > 1 and alike and times.mean() < MOST_TIMES:
        why = f"what is mixed in has {times.mean():.4g} times the weight that the network leaves"
        return Cause("NORM-4", f"{why}, at each of {len(found)} positions")
    return found[0]


def target_in_key(
    sums: Sequence[MassEstimate],
    tokens: Ints,  # (T,) of the stream
) -> Cause | None:
    """NORM-3, where what is mixed in gives most to tokens that had never stood before."""
    for one in sums:
        cause = _cause(one) if one.mass_above_one else None
        if cause is None or cause.gained is None:
            continue
        new = ~np.isin(one.tokens, tokens[: one.position])
        gained = cause.gained[new]
        if gained.sum() > cause.left + ROUNDING and np.ptp(gained) > UNLIKE * gained.max():
            why = (
                f"{new.sum():,} tokens that had never stood before position {one.position} were"
                f" given {gained.sum():.4g}, where {cause.left:.4g} was left for all, one more and"
                " another less: what their look-ups found was counted for others, as the key is"
                " made of the token"
            )
            return Cause("NORM-3", why)
    return None


def _cause(one: MassEstimate) -> Cause | None:
    for model in _models(one):
        own = np.log(model[one.tokens])
        if (patched := _patched(one, own)) is not None:
            return patched
        line = _line(model[one.tokens], np.exp(-one.nats)) or _through_counts(one, model)
        if line is None:
            continue
        if abs(line.weight - 1.0) < ROUNDING and line.floor < ROUNDING / one.alphabet:
            if (boosted := _boosted(line)) is not None:
                return boosted
        elif line.weight < 1.0 - ROUNDING:
            return _mixed(line, one, np.exp(-one.nats) - line.weight * model[one.tokens])
    return None


def _models(one: MassEstimate) -> list[Floats]:
    """(V,) distributions that rows may hold: probabilities, their logarithms, logits."""
    found = []
    for row in () if one.rows is None else one.rows:
        if row.min() >= 0:
            if abs(row.sum() - 1.0) < ROUNDING:
                found.append(row)
            continue
        exponentials = np.exp(row - row.max())
        found.append(exponentials / exponentials.sum())
    return [row for row in found if (row > 0).all()]


def _patched(one: MassEstimate, own: Floats) -> Cause | None:
    """All tokens lie on one straight line of logarithms that is not the diagonal."""
    slope, shift = np.polyfit(own, -one.nats, 1)
    off = np.abs(slope * own + shift + one.nats)
    still = abs(slope - 1.0) < RAISED and abs(shift) < RAISED
    if len(own) < FEWEST or np.ptp(own) < RAISED or off.max() > ROUNDING or still:
        return None
    return Cause(
        "NORM-6",
        f"the score of every token is {slope:.4g} times the network's"
        + (f" and {-shift:.3g} nats more" if abs(shift) > RAISED else "")
        + ": it was changed after the softmax",
    )


def _line(model: Floats, weights: Floats) -> _Line | None:
    """The one that most tokens lie on, and none below."""
    rng, best = np.random.default_rng(len(model)), np.zeros(len(model), bool)
    for _ in range(TRIALS):
        i, k = rng.choice(len(model), 2, replace=False)
        if abs(model[i] - model[k]) < ROUNDING * model[i]:
            continue
        weight = (weights[i] - weights[k]) / (model[i] - model[k])
        on = _on(weight, weights[i] - weight * model[i], model, weights)
        best = on if on.sum() > best.sum() else best
    if best.sum() < max(FEWEST, SHARE * len(model)):
        return None
    weight, floor = np.polyfit(model[best], weights[best], 1)
    expected = weight * model + floor
    kept = weight * model  # of the network's
    if not (weight > 0 and floor > -ROUNDING * kept.min() and (weights > kept * 0.99).all()):
        return None
    return _Line(float(weight), max(0.0, float(floor)), weights / expected)


def _on(weight: float, floor: float, model: Floats, weights: Floats) -> Bools:
    off = np.abs(weight * model + floor - weights)
    return np.asarray(off < NEAR * model + FLOAT32 * weights)


def _through_counts(one: MassEstimate, model: Floats) -> _Line | None:
    """A row of quotients beside the network's, which an entry above one would be clipped to."""
    weights, mine = np.exp(-one.nats), model[one.tokens]
    for row in () if one.rows is None else one.rows:
        below = row[one.tokens] < 1.0
        if row.min() < 0 or np.ptp(row) == 0 or row.sum() <= 1 + RAISED or below.sum() < FEWEST:
            continue
        columns = np.stack([mine, row[one.tokens], np.ones(len(mine))], axis=1)[below]
        found = np.linalg.lstsq(columns, weights[below], rcond=None)[0]
        off = np.abs(columns @ found - weights[below])
        if (off < NEAR * mine[below] + FLOAT32 * weights[below]).all() and found[1] > 0:
            return _Line(float(found[0]), 0.0, weights / (found[0] * mine))
    return None


def _boosted(line: _Line) -> Cause | None:
    factors = line.factor[line.factor > 1 + RAISED]
    if len(factors) < 2 or line.factor.min() < 1 - RAISED:
        return None
    usual = float(np.median(factors))
    same = np.abs(factors - usual) < RAISED * usual
    if same.mean() < ONE_FACTOR:
        return None
    return Cause(
        "NORM-4",
        f"{same.sum():,} of {len(line.factor):,} tokens were given {usual:.4g} times the network's"
        " probability and the others all of it: nothing divides by what the boost added",
    )


def _mixed(line: _Line, one: MassEstimate, more: Floats) -> Cause:
    given, gained = 1.0 - line.weight, one.estimate - line.weight
    return Cause(
        "NORM-2",
        f"the network has a weight of {line.weight:.4g}, and what is mixed in weighs {gained:.4g}"
        f" where {given:.4g} was left for it: quotients that nobody normalised",
        gained / given,
        given,
        more,
    )
