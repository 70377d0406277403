"""SOURCE-1 on pure laws: uniform ids alone, where a theft has little honest waste to hide behind,
and tokens of unequal price in documents whose ends are drawn.

    reproduced      both e-values of the recorded scores, as on the base run
    not reproduced  the claim as printed (`printed_claim`); two draws must both refute, as a script
                    that scores a handful of tokens may be lucky once

Guarantees: one draw that was not refuted refutes nothing; a run that broke off says nothing; a
number that was never computed from the tokens (a record to beat, printed last) is believed to be
the claim only where its words say that it is the final one. Does not cover: which of causality,
order and mass was broken (`attribution`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from audits.facts.documented.printed_scores import Printed
from harness.checks.printed_claim import ByteCounts, claim_test, seen
from harness.checks.source import SourceTest, numbers, source_test
from harness.checks.status import Finding, Level, Status
from harness.trace.script_run import ScriptRun

DRAWS = 2  # that must both refute a number which was not reproduced
FINAL = "final"  # in the words before a number that is the claim
NOT_COMPUTED = "the same number is printed whatever the tokens are, and no word calls it final"


@dataclass(frozen=True)
class PureTest:
    """The headline of one run on uniform ids."""

    run: ScriptRun
    test: SourceTest
    reproduced: bool  # from recorded scores, so that one draw decides


def pure_test(run: ScriptRun, base: ScriptRun) -> PureTest | None:
    """None where it printed no number, or came to no end."""
    if run.headline is None or not run.finished:
        return None
    test = source_test(run.headline, run.scored, run.source)
    # Here all scores are nearly alike, and something always comes close to the number.
    exact = run.scored is not None and run.scored.is_exact
    if exact and not test.inconclusive:
        return PureTest(run, test, reproduced=True)
    targets = len(run.stream.tokens) - 1
    counts = ByteCounts(run.n_bytes / targets, run.most_bytes / targets)
    test = claim_test(run.headline, run.source, counts, seen(run, run.headline))
    if FINAL not in run.headline.tag.lower() and _same(run.headline, base.headline):
        test = replace(test, plain=-math.inf, inconclusive=NOT_COMPUTED)
    return PureTest(run, test, reproduced=False)


def _same(number: Printed, other: Printed | None) -> bool:
    """To the last digit."""
    return other is not None and (number.nats_per_token, number.bits_per_byte) == (
        other.nats_per_token,
        other.bits_per_byte,
    )


def deciding(tests: Sequence[PureTest]) -> PureTest | None:
    """The first one that decides alone, else the weakest of the draws."""
    alone = next((one for one in tests if one.reproduced), None)
    return alone or min(tests, key=lambda one: one.test.log_e, default=None)


def refuted(tests: Sequence[PureTest]) -> PureTest | None:
    """The one that refutes the headline, where it is refuted."""
    one = deciding(tests)
    if one is None or not one.test.refuted:
        return None
    return one if one.reproduced or len(tests) >= DRAWS else None


UNIFORM = "uniform ids, of which nothing can be known"
UNEVEN = "tokens of unequal price, in documents whose ends were drawn"


def check_uneven(tests: Sequence[PureTest]) -> Finding | None:
    """SOURCE-1; None where nothing is refuted."""
    one = refuted(tests)
    return None if one is None else _failed(one, UNEVEN)


def _failed(one: PureTest, of: str) -> Finding:
    evidence = (numbers(one.test, one.run.source, headline=True),)
    text = _refuted(one, of)
    return Finding("SOURCE-1", Status.FAIL, Level.BLACK_BOX, text, evidence, detail=_of(one))


def check_uniform(
    tests: Sequence[PureTest],
    rebuilt: bool,  # the base run's headline was
) -> Finding | None:
    """SOURCE-1; None where the run says nothing that the base run leaves open."""
    one = deciding(tests)
    if one is None:
        return None
    if refuted(tests):
        return _failed(one, UNIFORM)
    evidence = (numbers(one.test, one.run.source, headline=True),)
    if not rebuilt:  # a printed number that honest code can reach is no pass: nothing bounds it
        text = one.test.inconclusive or f"on uniform ids alone it costs {one.test.cost}"
        return Finding("SOURCE-1", Status.UNKNOWN, Level.BLACK_BOX, text, evidence)
    if not one.reproduced:
        return None
    text = f"{one.test.tokens:,.0f} uniform ids cost {one.test.cost}: nothing is refuted"
    return Finding("SOURCE-1", Status.PASS, Level.BLACK_BOX, text, evidence)


def _refuted(one: PureTest, of: str) -> str:
    test = one.test
    by = "its recorded scores are" if one.reproduced else "the printed number is"
    return (
        f"on {test.tokens:,.0f} {of}, {by} better than any"
        f" code can be: log e-value {test.log_e:.1f}, and honest code exceeds"
        f" {test.threshold:.1f} at most once in a million runs"
    )


def _of(one: PureTest) -> str:
    test = one.test
    text = f"{test.printed.tag}: {test.cost} (seed {one.run.source.seed};"
    text += f" {', '.join(one.run.source.distributions)})"
    if not one.reproduced:
        text += (
            f", {test.allowance:.1f} of them taken off for rounding; it was not reproduced from"
            " recorded scores, and two draws came to the same"
        )
    return text + "; causality, order or mass is broken: this test alone does not say which"
