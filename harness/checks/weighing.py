"""PASS-3 by weights: a printed mean in which some tokens count for more than others.

Explained, and legal: a token that overlapping windows count several times; a mean of means, of
batches, windows or documents, where every group weighs alike. Anything else is not the mean over
the set: weights that follow the loss, or the boundaries, print any number at all.

    seen        weights that nothing explains leave PASS-3 *unknown*: hooks saw them
    proved      the number beats the source, and the same scores, each counted once, do not (also
                where it was not rebuilt of them, and nothing but whole softmaxes was seen); or it
                is, as a mean over the set, what no code reaches on tokens that the largest weight
                leaves of the stream

Guarantees: weights that were chosen without looking at tokens prove nothing. Does not cover:
numbers that were not rebuilt.
"""

from dataclasses import dataclass, replace

import numpy as np

from audits.facts.documented.printed_scores import Printed
from harness.arrays import Bools, Floats, Ints
from harness.checks.e_values import score_rounding
from harness.checks.printed_claim import mean_test
from harness.checks.source import SourceTest, inconclusive_reason, source_test
from harness.checks.status import Finding, Level, Status
from harness.protocol.schema import EventKind
from harness.streams.drawn import SourceStream
from harness.trace.reconstruct import Pass
from harness.trace.scored_positions import ScoredPass
from harness.trace.script_run import ScriptRun

ALIKE = 0.02  # relative: float32 factors of a mean differ by less
NEARLY_ALL = 0.99  # of the targets
FEW = 0.25  # of them: totals of windows, and no number a token but its score and its bytes
SAME_NATS = 1e-4
GROUPS = 64.5  # groups of one weight side by side, at most


@dataclass(frozen=True)
class Weighing:
    """How a printed number weighs its tokens, where nothing legal explains it; nats."""

    tokens: int
    largest: float  # weight, for each one of the median
    printed: float  # a token
    alike: float  # a token, each score counted once
    proof: SourceTest | None  # what refutes the number as printed, and not its scores


def weighing(
    printed: Printed, scored: ScoredPass | None, stream: SourceStream, *, pure: bool
) -> Weighing | None:
    """None where weights are unknown or explained."""
    if scored is None or inconclusive_reason(scored) or explained(scored):
        return None
    used = scored.weight > 0
    weight, nats = scored.weight[used], scored.nats[used]
    mean = float(np.average(nats, weights=weight))
    proof = _proof(printed, scored, stream, mean, pure=pure)
    largest = float(weight.max() / np.median(weight))
    return Weighing(len(weight), largest, mean, float(nats.mean()), proof)


def _proof(
    printed: Printed, scored: ScoredPass, stream: SourceStream, mean: float, *, pure: bool
) -> SourceTest | None:
    """Only where the same scores, each counted once, are not refuted."""
    alike = _Alike(scored)
    plain = replace(printed, nats_per_token=float(np.average(alike.nats, weights=alike.weight)))
    if source_test(plain, alike, stream).refuted:
        return None
    weighed = [source_test(printed, scored, stream)]
    if pure:  # elsewhere parts of the stream cost unequally
        tokens = int(scored.weight.sum() / _totals(scored).max())
        rounding = printed.half_unit + float(score_rounding(scored.nats).max())
        weighed.append(mean_test(printed, stream, (mean, rounding), tokens))
    return next((test for test in weighed if test.refuted), None)


def beats_nothing(run: ScriptRun) -> bool:
    """Every number that was seen to be added up is a whole softmax's, each target has one, and
    counted once each they cost no less than their source: what was printed is not their mean.
    """
    capture, printed, targets = run.capture, run.headline, len(run.stream.tokens) - 1
    if printed is None or not capture.softmax_width[capture.events(EventKind.SUM)].all():
        return False
    kind = capture.kind[capture.score_event]
    kept, added = kind == EventKind.VALUE, kind == EventKind.SUM  # plain numbers, perhaps of a mix
    position, score = capture.position[added], capture.nats[added]
    scores = np.bincount(position, minlength=targets + 1)
    at = np.flatnonzero(scores)
    if len(at) < NEARLY_ALL * targets:
        return False
    nats, ones = np.bincount(position, score)[at] / scores[at], np.ones(len(at))
    whole = np.zeros(targets + 1)
    whole[at] = nats
    value = capture.nats[kept]
    other = (np.abs(value - whole[capture.position[kept]]) > SAME_NATS) & (value % 1 != 0)
    if other.sum() > FEW * targets:
        return False
    every = Pass(printed, at.astype(np.int32), nats, ones, at, (), 0.0, len(at) / targets)
    plain = replace(printed, nats_per_token=float(nats.mean()))
    return not source_test(plain, every, run.source).refuted


def explained(scored: ScoredPass) -> bool:
    """Every score weighs alike, or every group of neighbours of one weight does."""
    used = np.flatnonzero(scored.weight > 0)
    weight = scored.weight[used]
    if not len(weight) or weight.max() <= weight.min() * (1 + ALIKE):
        return True
    order = np.lexsort((scored.position[used], scored.event[used]))
    weight, event = weight[order], scored.event[used][order]
    totals = _groups(weight, event)
    times = totals / totals.min()
    whole = np.abs(times - np.round(times)) <= ALIKE * np.round(times)
    return bool((whole & (times <= GROUPS)).all())


def _groups(weight: Floats, event: Ints) -> Floats:
    """(g,) the weight of each run of neighbours that were added up together and weigh alike."""
    new: Bools = np.ones(len(weight), bool)
    new[1:] = (event[1:] != event[:-1]) | (np.abs(np.diff(weight)) > ALIKE * weight[:-1])
    return np.bincount(np.cumsum(new) - 1, weight).astype(np.float64)


def _totals(scored: ScoredPass) -> Floats:
    """(T,) weight of each position."""
    return np.bincount(scored.position, scored.weight).astype(np.float64)


@dataclass(frozen=True, eq=False)
class _Alike:
    """A pass with its scores counted once each."""

    of: ScoredPass

    @property
    def position(self) -> np.ndarray:
        return self.of.position

    @property
    def nats(self) -> Floats:
        return self.of.nats

    @property
    def event(self) -> Ints:
        return self.of.event

    @property
    def weight(self) -> Floats:
        return (self.of.weight > 0).astype(np.float64)

    @property
    def gap(self) -> float:
        return 0.0


def check_weighing(found: Weighing | None) -> tuple[Finding, ...]:
    """PASS-3 where a weight is not explained."""
    if found is None:
        return ()
    text = (
        f"the printed mean, {found.printed:.4f} nats a token, weighs its {found.tokens:,} scores"
        f" unequally (up to {found.largest:.3g} times the median); counted once each they cost"
        f" {found.alike:.4f}"
    )
    if found.proof is None:
        return (Finding("PASS-3", Status.UNKNOWN, Level.INSTRUMENTED, text),)
    text += (
        f": the number beats the source (log e-value {found.proof.log_e:.1f}, threshold"
        f" {found.proof.threshold:.1f}), its scores do not"
    )
    return (Finding("PASS-3", Status.FAIL, Level.BLACK_BOX, text),)
