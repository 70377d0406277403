"""Statistics and choices: numbers that many validation tokens made at once, whatever carries them.

A count, a mean, a maximum, a table, or what was kept because a loss was lower. In containers,
settings, closures, files and models the label stays; whether the tokens were counted before is for
`audits.foresight`.

Guarantees: a reduction along a dimension is none; masks and positions (where a boundary lies) are
none; what a left-to-right scan stores by position is none.
Does not cover: statistics taken one row at a time; choices by exceptions.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from audits.facts.call import Call
from audits.facts.events import Site, Statistic
from audits.facts.labels import (
    ACCUMULATED,
    COUNT,
    KEPT,
    LOOP,
    OUTPUT,
    REALISED,
    REGION,
    STATISTIC,
    STREAM,
    TOKENS,
    Label,
    ids,
    kinds,
)
from audits.facts.scope import Scope
from audits.facts.state import Interpreter
from audits.facts.trace import noted
from audits.facts.values import Obj, Value, kinds_of, labels_of

COUNTS: Final = frozenset(
    {"bincount", "unique", "unique_consecutive", "histc", "histogram", "quantile", "nanquantile"}
    | {"percentile", "Counter", "value_counts", "kthvalue", "mode"}
)
REDUCES: Final = COUNTS | {
    *("sum", "mean", "std", "var", "median", "max", "min", "amax", "amin", "norm", "aminmax"),
    *("nansum", "nanmean", "average", "fsum", "std_mean", "var_mean", "set"),
}
CHOOSES: Final = frozenset({"argmin", "argmax", "nanargmin", "argsort"})
_BY_DIMENSION: Final = frozenset({"dim", "axis", "keepdim", "keepdims"})


def is_result(labels: frozenset[Label]) -> bool:
    """Whether a test of it asks how well validation tokens were predicted."""
    held = kinds(labels)
    return OUTPUT in held and bool(held & {TOKENS, STREAM})


def taken(interp: Interpreter, made: Value, name: str, n_given: int, call: Call) -> Value:
    """What a reduction gives; `n_given`: arguments beside what is reduced."""
    by_dimension = not _BY_DIMENSION.isdisjoint(call.keywords) or n_given
    if name in CHOOSES and not by_dimension and is_result(labels_of(made)):
        return _index(interp, made, call)
    if name not in REDUCES or (by_dimension and name not in COUNTS):
        return made
    marks = of_labels(interp, labels_of(made), interp.site_of(call))
    for ref in made.refs:
        if ref.kind in ("list", "dict"):
            ref.labels |= marks
    return replace(made, labels=made.labels | marks) if marks else made


def _index(interp: Interpreter, made: Value, call: Call) -> Value:
    """Which of several had the lowest loss: a number that says nothing else."""
    marks = chosen(interp, interp.site_of(call), labels_of(made))
    return Value(labels=marks, switches=made.switches)


def of_labels(interp: Interpreter, labels: frozenset[Label], site: Site) -> frozenset[Label]:
    """The mark of what was made of values with these labels; none for masks and positions.

    None for losses either: they are printed, saved beside weights, and compared.
    """
    held = kinds(labels)
    positions = REGION in held and OUTPUT not in held
    if positions or not held & {STREAM, TOKENS} or held & {REALISED, ACCUMULATED}:
        return frozenset()
    reads = ids(labels, TOKENS)
    whole = STREAM in held and not reads
    direct = not held & {OUTPUT, COUNT}
    one = Statistic(site, interp.moment(), whole, direct, reads, ids(labels, LOOP))
    return frozenset({Label(STATISTIC, noted(interp.trace.statistics, one))})


def of_state(interp: Interpreter, added: Value, site: Site) -> frozenset[Label]:
    """The mark of what a loop adds, made of tokens and of what a model said of them."""
    held = kinds_of(added)
    if not interp.loops or not {OUTPUT, TOKENS} <= held or held & {REALISED, ACCUMULATED}:
        return frozenset()
    reads = ids(labels_of(added), TOKENS)
    loops = ids(labels_of(added), LOOP)
    one = Statistic(site, interp.moment(), False, False, reads, loops, state=True)
    return frozenset({Label(STATISTIC, noted(interp.trace.statistics, one))})


def chosen(interp: Interpreter, site: Site, by: frozenset[Label] = frozenset()) -> frozenset[Label]:
    """The mark of what was kept because of a result; `by`: of the results of all candidates."""
    one = Statistic(
        site, interp.moment(), whole=False, reads=ids(by, TOKENS), loops=ids(by, LOOP), choice=True
    )
    return frozenset({Label(STATISTIC, noted(interp.trace.statistics, one))})


def best(interp: Interpreter, element: Value, result: Value, site: Site) -> Value:
    """The candidate with the best result; a tuple's parts were chosen together."""
    if not is_result(labels_of(result)):
        return element
    return marked(element, chosen(interp, site, labels_of(result)))


def marked(value: Value, marks: frozenset[Label]) -> Value:
    items = None if value.items is None else tuple(marked(one, marks) for one in value.items)
    if any(ref.kind == "module" for ref in value.refs):
        marks = frozenset(Label(KEPT, one.id) for one in marks)
    return replace(value, labels=value.labels | marks, items=items)


def of_weights(interp: Interpreter, labels: frozenset[Label]) -> frozenset[Label]:
    """Labels as weights carry them: that they were chosen is another thing than what they hold."""
    return frozenset(
        Label(KEPT, one.id)
        if one.kind == STATISTIC and interp.trace.statistics[one.id].choice
        else one
        for one in labels
    )


def kept(interp: Interpreter, value: Value) -> Value:
    """A value that is bound while a test of a result is open."""
    return marked(value, interp.choosing[-1]) if interp.choosing else value


def open_choice(
    interp: Interpreter, test: Value, node: ast.AST, scope: Scope
) -> list[frozenset[Label]]:
    """What is bound under this test is a choice, where the test asks for a result."""
    labels = labels_of(test)
    if is_result(labels):
        return [chosen(interp, interp.site(node, scope))]
    marks = frozenset(
        label
        for label in labels
        if label.kind == STATISTIC and _passes_on(interp.trace.statistics[label.id])
    )
    return [marks] if marks else []


def _passes_on(statistic: Statistic) -> bool:
    return statistic.choice or statistic.whole


def normalising(above: Value, below: Value) -> frozenset[Label]:
    """A count of tokens or bytes that a loss is divided by says nothing of the tokens."""
    held = kinds(labels_of(below))
    if OUTPUT not in kinds(labels_of(above)) or OUTPUT in held or not held & {STREAM, TOKENS}:
        return frozenset()
    mine = frozenset(one for one in labels_of(below) if one.kind == STATISTIC)
    return mine - labels_of(above)


def stopped(
    interp: Interpreter, scope: Scope, reachable: Callable[[Value], frozenset[Obj]]
) -> None:
    """A loop that ends by a result: models, and averages of them, are as it left them."""
    if not interp.choosing:
        return
    for value in scope.names.values():
        for ref in (*reachable(value), *value.refs):
            if ref.kind in ("module", "dict"):
                ref.labels |= of_weights(interp, interp.choosing[-1])


def by_position(interp: Interpreter, value: Value) -> Value:
    """What a scan stores entry by entry: made of what came before, as far as can be told."""
    labels = frozenset(one for one in value.labels if not _of_this_scan(interp, one))
    return replace(value, labels=labels) if labels != value.labels else value


def _of_this_scan(interp: Interpreter, label: Label) -> bool:
    """Made in a loop that is being read, of parts of the stream."""
    if label.kind != STATISTIC or interp.trace.statistics[label.id].whole:
        return False
    return not set(interp.loops).isdisjoint(interp.trace.statistics[label.id].moment.loops)
