"""What a log of tries comes to, for people and for programs.

Guarantees: every line has its number; what no log can tell is said each time.
"""

from collections.abc import Iterator
from typing import Any

from harness.gains.significance import Gains

UNSEEN = (
    "Not seen here: numbers that were typed by hand, and what was tried and not written down. Only"
    " a run on your own machine tells (`scorefirst evaluate`)."
)


def lines(gains: Gains) -> Iterator[str]:
    """The screen."""
    tried, kept = len(gains.tries), len(gains.steps)
    yield f"{tried} tries, {kept} kept steps, a gain of {gains.gain:.6f} in all"
    yield (
        f"noise alone would give {gains.expected_records:.1f} records in so many tries, and a best"
        f" of {gains.expected_best:.1f} deviations"
    )
    if gains.noise is None:
        yield (
            "no commit was run twice: without a noise floor no gain can be called real; run one"
            " commit three times, or give --sigma"
        )
    else:
        noise = gains.noise
        yield f"noise floor {noise.sigma:.6f} ({noise.source})"
        yield f"the whole gain: {'real' if gains.real else 'not shown'} (corrected p {gains.p:.2g})"
        real = [step for step in gains.steps if step.real]
        yield f"{len(real)} of {kept} kept steps are beyond noise, corrected for every try:"
        for step in gains.steps:
            mark = "real" if step.real else "noise"
            yield (
                f"  {mark:5}  {step.tried.commit[:12]:12}  -{step.gain:.6f}  p {step.p:8.2g} "
                f" {step.tried.description[:60]}"
            )
    if gains.of_seeds:
        yield f"{gains.of_seeds} tries are of another seed alone: they count as tries"
    if gains.uneven_repeats:
        yield "commits were run unequally often: stopping when it suits is not excluded"
    yield UNSEEN


def as_json(gains: Gains) -> dict[str, Any]:
    """One object."""
    noise = gains.noise
    return {
        "tries": len(gains.tries),
        "gain": gains.gain,
        "p": gains.p,
        "real": gains.real,
        "expected_records": gains.expected_records,
        "expected_best": gains.expected_best,
        "sigma": None if noise is None else noise.sigma,
        "sigma_source": None if noise is None else noise.source,
        "of_seeds": gains.of_seeds,
        "uneven_repeats": gains.uneven_repeats,
        "steps": [
            {
                "line": step.tried.line,
                "commit": step.tried.commit,
                "gain": step.gain,
                "p": step.p,
                "real": step.real,
            }
            for step in gains.steps
        ],
        "unseen": UNSEEN,
    }
