"""What noise alone would give: the best of many tries beats one, and most records are luck.

    noise floor    the deviation of repeats of one commit, pooled; else what the caller says
    records        on noise alone the best so far is beaten 1 + 1/2 + ... + 1/N times in N tries
    best of N      its expected distance below the mean, in deviations: 126 tries 2.6, 700 tries 3.1
    kept steps     each gain against the difference of two runs, corrected for every try (Sidak)

Guarantees: without repeats and without a deviation nothing is called real. Does not cover: tries
that the log leaves out.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from scipy import integrate, stats

from harness.gains.tries import Try

CHANCE = 0.05  # corrected, below which a step counts as real
OF_A_DIFFERENCE = math.sqrt(2)  # two runs, each as noisy


@dataclass(frozen=True)
class Noise:
    """The deviation of one run."""

    sigma: float
    freedom: float  # degrees of it; infinite where it was told
    source: str  # for people

    def tail(self, gain: float) -> float:
        """Probability that two runs of one thing differ by so much, one way."""
        z = gain / (self.sigma * OF_A_DIFFERENCE)
        law = stats.norm if math.isinf(self.freedom) else stats.t(self.freedom)
        return float(law.sf(z))


@dataclass(frozen=True)
class Step:
    """One kept try that was better than all before it."""

    tried: Try
    number: int  # of the try, from one
    gain: float
    p: float | None  # corrected for every try; None without a noise floor

    @property
    def real(self) -> bool:
        """Beyond what noise explains."""
        return self.p is not None and self.p < CHANCE


@dataclass(frozen=True)
class Gains:
    """All of a log."""

    tries: Sequence[Try]
    steps: Sequence[Step]
    noise: Noise | None
    gain: float  # of the last kept try over the first
    p: float | None  # of that, against the best of as many tries
    expected_records: float
    expected_best: float  # in deviations
    of_seeds: int  # tries of another seed alone
    uneven_repeats: bool  # some commits were tried more often than others: who stopped, and when?

    @property
    def real(self) -> bool:
        """The whole gain."""
        return self.p is not None and self.p < CHANCE


def gains_of(tries: Sequence[Try], sigma: float | None = None) -> Gains:
    """`sigma`: of one run, where it is known better than by the log's own repeats."""
    noise = Noise(sigma, math.inf, "as it was told") if sigma else noise_floor(tries)
    steps = list(_steps(tries, noise))
    gain = steps_from(tries)
    p = None if noise is None else corrected(noise.tail(gain), len(tries))
    counts = {sum(t.commit == one.commit for t in tries) for one in tries if one.commit}
    return Gains(
        tries=tries,
        steps=steps,
        noise=noise,
        gain=gain,
        p=p,
        expected_records=sum(1 / n for n in range(1, len(tries) + 1)),
        expected_best=expected_best(len(tries)),
        of_seeds=sum(one.of_seed for one in tries),
        uneven_repeats=len(counts) > 1,
    )


def steps_from(tries: Sequence[Try]) -> float:
    """By how much the last kept try is better than the first try."""
    kept = [one.value for one in tries if one.kept]
    return tries[0].value - (kept[-1] if kept else tries[0].value)


def noise_floor(tries: Sequence[Try]) -> Noise | None:
    """From commits that were run more than once; None where there is none."""
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for one in tries:
        groups[one.commit].append(one.value)
    repeated = {c: values for c, values in groups.items() if c and len(values) > 1}
    squares = sum(stats.tvar(values) * (len(values) - 1) for values in repeated.values())
    freedom = sum(len(values) - 1 for values in repeated.values())
    if not freedom or squares <= 0:
        return None
    runs = sum(map(len, repeated.values()))
    said = f"{runs} runs of {len(repeated)} commit{'s' if len(repeated) > 1 else ''}"
    return Noise(math.sqrt(squares / freedom), freedom, said)


def corrected(p: float, tries: int) -> float:
    """Of so many tries one does so well."""
    return float(-math.expm1(tries * math.log1p(-min(p, 1 - 1e-16))))


@lru_cache(maxsize=64)
def expected_best(tries: int) -> float:
    """Deviations by which the best of so many draws of one normal law beats its mean."""

    def density(z: float) -> float:
        return float(z * tries * stats.norm.pdf(z) * stats.norm.cdf(z) ** (tries - 1))

    return float(integrate.quad(density, -10, 10, limit=200)[0])


def _steps(tries: Sequence[Try], noise: Noise | None) -> list[Step]:
    found, best = [], tries[0].value
    for number, one in enumerate(tries[1:], 2):
        if one.kept and one.value < best:
            gain = best - one.value
            p = None if noise is None else corrected(noise.tail(gain), len(tries))
            found.append(Step(one, number, gain, p))
            best = one.value
    return found
