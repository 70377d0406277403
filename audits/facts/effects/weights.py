"""Weights: who changes them, from what, and when they are put back.

Guarantees: an update is recorded only when its gradient came from validation tokens; loading a
state saved before the update removes its mark, so a warm-up that is undone leaves no trace.
Does not cover: arithmetic on weights (an average of adapted and clean weights counts as adapted).
"""

from __future__ import annotations

from collections.abc import Iterable

from audits.facts.events import Moment, Site, Training, Update
from audits.facts.labels import ADAPTED, KEPT, OUTPUT, STATISTIC, STREAM, TOKENS, Label, kinds
from audits.facts.state import Gradient, Interpreter
from audits.facts.trace import noted
from audits.facts.values import Obj, Value, labels_of

_HOLDERS = ("list", "dict", "optimizer")
_CARRIED = frozenset({ADAPTED, STATISTIC, KEPT})  # what weights and files know of validation tokens


def reachable(value: Value, depth: int = 4) -> frozenset[Obj]:
    """The tensors and models inside nested lists, dictionaries and optimisers."""
    found: set[Obj] = set()
    for ref in value.refs:
        if ref.kind in ("module", "tensor"):
            found.add(ref)
        elif ref.kind in _HOLDERS and depth:
            inside = [*ref.entries.values(), *ref.attrs.values()]
            found |= {one for entry in inside for one in reachable(entry, depth - 1)}
    for item in value.items or ():
        found |= reachable(item, depth - 1) if depth else frozenset()
    return frozenset(found)


def backward(interp: Interpreter, loss: Value, site: Site) -> None:
    if interp.pending_used:
        interp.pending, interp.pending_used = [], False
    interp.trace.learning |= set(interp.loops)
    interp.pending.append(Gradient(site, labels_of(loss), interp.moment()))


def zero(interp: Interpreter) -> None:
    interp.pending, interp.pending_used = [], False


def step(interp: Interpreter, optimizer: Value, site: Site) -> None:
    """An optimiser step: whatever it owns now depends on the tokens in the pending losses."""
    targets = reachable(optimizer)
    for gradient in interp.pending:
        change(interp, targets, gradient, site)
    interp.pending_used = True


def change(
    interp: Interpreter,
    targets: frozenset[Obj],
    gradient: Gradient,
    site: Site,
    moment: Moment | None = None,  # None: now
) -> None:
    held = kinds(gradient.labels)
    fitted = bool(held & {TOKENS, STREAM})
    if not targets or (fitted and OUTPUT not in held):
        return
    when = moment or interp.moment()
    if not fitted:
        other = Training(site, gradient.site, when, gradient.labels, targets)
        interp.trace.trainings.append(other)
        return
    update = Update(site, gradient.site, when, gradient.labels, targets, gradient.shared)
    mark = Label(ADAPTED, noted(interp.trace.updates, update))
    for ref in targets:
        ref.labels.add(mark)


def overwrite(ref: Obj, value: Value) -> None:
    """`load_state_dict`, `copy_`, `.data =`: what was learnt before is replaced."""
    ref.labels = {label for label in ref.labels if label.kind not in _CARRIED}
    ref.labels |= carried(labels_of(value))


def adaptations(value: Value) -> frozenset[Label]:
    """The updates and statistics that reach a value, also through containers and models."""
    deep = [label for ref in reachable(value) for label in ref.labels]
    return carried((*labels_of(value), *deep))


def carried(labels: Iterable[Label]) -> frozenset[Label]:
    return frozenset(label for label in labels if label.kind in _CARRIED)
