"""Sifts: which tokens count, where that hangs on their own losses, on chance, or on a number.

Guarantees: a test of realised losses counts as one only on losses that it was made of; both sides
of a branch are compared, so that a loss that counts either way is none.
Does not cover: masks of positions; tests written in another language.
"""

from __future__ import annotations

import ast
from typing import Final

from audits.facts.effects.worths import score_of
from audits.facts.events import Sift, Site
from audits.facts.labels import (
    CHANCE,
    DROPPED,
    LOOP,
    OUTPUT,
    PERIOD,
    RANKED,
    REALISED,
    SIFT,
    Label,
    ids,
    kinds,
)
from audits.facts.state import Interpreter
from audits.facts.trace import noted
from audits.facts.values import Value, derive, kinds_of, labels_of
from audits.facts.worth import Span

SORTS: Final = frozenset({"sort", "sorted", "argsort", "msort"})
PICKS: Final = frozenset({"topk", "kthvalue", "partition", "argpartition", "nsmallest", "nlargest"})
DRAWS: Final = frozenset(
    {"random.random", "random.uniform", "random.randint", "random.randrange", "random.choice"}
    | {"numpy.random.rand", "numpy.random.random", "numpy.random.uniform", "torch.rand"}
    | {"numpy.random.randint", "torch.randint", "torch.bernoulli", "random.getrandbits"}
)
_TESTS: Final = frozenset({SIFT, PERIOD, CHANCE})
LARGEST_PERIOD: Final = 64  # a larger modulus is a size, not a choice of windows


def tested(values: list[Value], made: frozenset[Label]) -> frozenset[Label]:
    """The labels of a comparison of these operands."""
    realised = [ids(labels_of(value), REALISED) for value in values if score_of(value)]
    found = frozenset(Label(SIFT, number) for one in realised for number in one)
    if PERIOD in kinds(made) and not all(v.known or PERIOD in kinds_of(v) for v in values):
        made = frozenset(one for one in made if one.kind != PERIOD)  # a rank's own share
    return made | found


def period(left: Value, right: Value) -> frozenset[Label]:
    """`i % 3` of a loop's variable."""
    size = right.const
    if not isinstance(size, int) or right.switches or not 1 < size <= LARGEST_PERIOD:
        return frozenset()
    return frozenset(Label(PERIOD, loop) for loop in ids(labels_of(left), LOOP))


def ordered(interp: Interpreter, name: str, losses: Value, made: Value, site: Site) -> Value:
    """Realised losses in order of size; the first few of them are a choice."""
    numbers = ids(labels_of(losses), REALISED)
    if not numbers or score_of(losses) is None:
        return made
    labels = made.labels | {Label(RANKED, number) for number in numbers}
    if name in PICKS:
        labels |= _dropped(interp, site, frozenset(Label(SIFT, number) for number in numbers))
    return Value(labels=labels, refs=made.refs, switches=made.switches)


def cut(
    interp: Interpreter, base: Value, key: Value, site: Site, *, sliced: bool
) -> frozenset[Label]:
    """`nll[nll < 9]`, `nll[order[:n]]`, `nll.sort()[:n]`."""
    held, wanted = labels_of(base), labels_of(key)
    if sliced and RANKED in kinds(held):
        ranked = frozenset(Label(SIFT, number) for number in ids(held, RANKED))
        return ranked | _dropped(interp, site, ranked)
    return selected(interp, held, wanted, site)


def selected(
    interp: Interpreter, losses: frozenset[Label], test: frozenset[Label], site: Site
) -> frozenset[Label]:
    """Realised losses, selected by a test that they went into."""
    by = frozenset(one for one in test if one.kind == SIFT)
    if ids(losses, REALISED).isdisjoint(ids(by, SIFT)):
        return frozenset()
    return _dropped(interp, site, by)


def skipped(interp: Interpreter, losses: Value, factor: Value, site: Site) -> frozenset[Label]:
    """`loss * (i % 3 != 1)`: nothing of some windows counts."""
    by = frozenset(one for one in labels_of(factor) if one.kind in (PERIOD, CHANCE))
    if not by or not isinstance(factor.worth, Span) or score_of(losses) is None:
        return frozenset()
    return _dropped(interp, site, by)


def _dropped(interp: Interpreter, site: Site, by: frozenset[Label]) -> frozenset[Label]:
    number = noted(interp.trace.sifts, Sift(site, interp.moment(), by))
    return frozenset({Label(DROPPED, number)})


def branch(interp: Interpreter, test: Value, site: Site) -> int | None:
    """The number of a branch that hangs on such a test."""
    by = frozenset(one for one in labels_of(test) if one.kind in _TESTS)
    return noted(interp.trace.sifts, Sift(site, interp.moment(), by)) if by else None


def counts_losses(interp: Interpreter, first: int, end: int) -> bool:
    """Whether a loss is among these accumulations."""
    return any(OUTPUT in kinds(one.labels) for one in interp.trace.accumulations[first:end])


def comprehended(interp: Interpreter, element: Value, tests: list[Value], site: Site) -> Value:
    """`[v for v in nats if v < 9]`."""
    labels = selected(interp, labels_of(element), labels_of(derive(*tests)), site)
    return element if not labels else Value(element.const, element.labels | labels, element.refs)


def leaves(block: list[ast.stmt]) -> bool:
    """Whether a branch ends in `continue` or `break`: what follows is on the other side."""
    return bool(block) and isinstance(block[-1], ast.Continue | ast.Break)
