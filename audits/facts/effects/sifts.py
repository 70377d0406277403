"""Sifts: which tokens count, where that hangs on their own losses, on chance, or on a number.

Guarantees: a test of realised losses counts as one only on losses that it was made of; both sides
of a branch are compared, so that a loss that counts either way is none.
Does not cover: masks of positions; tests written in another language.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Final

from audits.facts.effects.worths import score_of
from audits.facts.events import Sift, Site
from audits.facts.labels import (
    CHANCE,
    DROPPED,
    LOOP,
    OUTPUT,
    PART,
    PERIOD,
    RANKED,
    SIFT,
    Label,
    ids,
    kinds,
)
from audits.facts.state import Interpreter
from audits.facts.trace import noted
from audits.facts.values import Obj, Value, derive, element_of, join, kinds_of, labels_of
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
    found = frozenset(Label(SIFT, number) for one in values for number in scored(one))
    if PERIOD in kinds(made) and not all(v.known or PERIOD in kinds_of(v) for v in values):
        made = frozenset(one for one in made if one.kind != PERIOD)  # a rank's own share
    return made | found


def scored(value: Value) -> frozenset[int]:
    """The outputs that a score was made of, or the scores of a list; none of other values."""
    if score_of(value) is None and score_of(element_of(value)) is None:
        return frozenset()
    return ids(labels_of(value), OUTPUT)


def period(left: Value, right: Value) -> frozenset[Label]:
    """`i % 3` of a loop's variable."""
    size = right.const
    if not isinstance(size, int) or right.switches or not 1 < size <= LARGEST_PERIOD:
        return frozenset()
    return frozenset(Label(PERIOD, loop) for loop in ids(labels_of(left), LOOP))


def ordered(interp: Interpreter, name: str, losses: Value, made: Value, site: Site) -> Value:
    """Realised losses in order of size; the first few of them are a choice."""
    numbers = scored(losses)
    if not numbers:
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


def of_list(interp: Interpreter, base: Value, part: Value, key: Value, site: Site) -> Value:
    """A piece of a list of scores: of the sorted ones, or every second one."""
    marks = cut(interp, base, key, site, sliced=True)
    if PART in kinds(part.labels) and PART not in kinds(base.labels) and scored(base):
        marks |= _dropped(interp, site, frozenset({Label(CHANCE, 0)}))
    return replace(part, labels=part.labels | marks) if marks else part


def selected(
    interp: Interpreter, losses: frozenset[Label], test: frozenset[Label], site: Site
) -> frozenset[Label]:
    """Realised losses, selected by a test that they went into."""
    by = frozenset(one for one in test if one.kind == SIFT)
    if ids(losses, OUTPUT).isdisjoint(ids(by, SIFT)):
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


def sorted_in_place(ref: Obj) -> None:
    """`losses.sort()`."""
    value = Value(refs=frozenset({ref}))
    ref.labels |= {Label(RANKED, number) for number in scored(value)}


def overwritten(
    interp: Interpreter, sift: int, before: Value, then: Value, orelse: Value
) -> Value | None:
    """`if v > 9.0: v = 9.0`: what a name holds, where the test of a score decided it."""
    by = ids(interp.trace.sifts[sift].by, SIFT)
    decided = by & (scored(then) | scored(orelse) | scored(before))
    if not decided or then is orelse:
        return None
    both = join((then, orelse))
    return replace(both, labels=both.labels | {Label(DROPPED, sift)}, worth=None)


def leaves(block: list[ast.stmt]) -> bool:
    """Whether a branch ends in `continue` or `break`: what follows is on the other side."""
    return bool(block) and isinstance(block[-1], ast.Continue | ast.Break)
