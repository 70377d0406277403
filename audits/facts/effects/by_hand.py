"""Training without an optimiser: gradients that are asked for, and the weights they are added to.

A gradient is a label until something learns from it: a weight that it is added to in place, or a
pass of a model with the sum.

Guarantees: a gradient that is only measured, clipped or shared changes nothing.
Does not cover: updates that do not come from a gradient (a rule of Hebb's).
"""

from __future__ import annotations

from typing import Final

from audits.facts.call import Call
from audits.facts.effects import weights
from audits.facts.events import Site
from audits.facts.labels import ADAPTED, GRADIENT, Label, ids, kinds
from audits.facts.objects import Function, Partial
from audits.facts.state import Gradient, Interpreter
from audits.facts.values import Library, Obj, Value, labels_of

DIFFERENTIATES: Final = frozenset({"grad", "value_and_grad", "grad_and_value", "vjp"})
CALLED: Final = "scorefirst.gradient"  # of a function that is called later, with its arguments


def of_loss(interp: Interpreter, loss: Value, site: Site) -> Value:
    """`torch.autograd.grad(loss, weights)`."""
    return Value(
        labels=_mark(interp, Gradient(site, labels_of(loss), interp.moment())),
        switches=loss.switches,
    )


def of_function(value: Value, last: str) -> Value | None:
    """`torch.func.grad(loss_of)`: a function that is still to be called."""
    functions = frozenset(ref for ref in value.refs if isinstance(ref, Function | Partial))
    if not functions:
        return None
    target = Value(refs=frozenset({Library(f"{CALLED}.{last}")}))
    return Value(refs=frozenset({Partial(target, [Value(refs=functions)], {})}))


def returned(last: str, loss: Value, slope: Value) -> Value:
    """What the function that `last` made gives back."""
    pairs = {"value_and_grad": (loss, slope), "grad_and_value": (slope, loss)}
    return Value(items=pairs[last]) if last in pairs else slope


def attribute(interp: Interpreter) -> Value | None:
    """`weight.grad` after a backward pass that no optimiser has used."""
    if not interp.pending or interp.pending_used:
        return None
    marks = frozenset(label for one in interp.pending for label in _mark(interp, one))
    return Value(labels=marks)


def _mark(interp: Interpreter, gradient: Gradient) -> frozenset[Label]:
    if gradient not in interp.gradients:
        interp.gradients.append(gradient)
    return frozenset({Label(GRADIENT, interp.gradients.index(gradient))})


def learnt(interp: Interpreter, ref: Obj, value: Value, site: Site) -> None:
    """A weight changed in place by something made of a gradient."""
    for number in sorted(ids(labels_of(value), GRADIENT)):
        weights.change(interp, frozenset({ref}), interp.gradients[number], site)


def learns(ref: Obj) -> bool:
    return ref.kind == "module" or "trainable" in ref.attrs


def step_of_all(interp: Interpreter, call: Call) -> None:
    """`torch._foreach_add_(weights, gradients)`."""
    made = call.result()
    for ref in sorted(weights.reachable(call.args[0]), key=lambda one: one.serial):
        learnt(interp, ref, made, interp.site_of(call))


def stepped(interp: Interpreter, value: Value, site: Site) -> Value:
    """Weights as a value of their own, stepped along a gradient and now used."""
    if GRADIENT not in kinds(labels_of(value)):
        return value
    before = len(interp.trace.updates)
    target = frozenset({Obj("module", site.line)})
    for gradient in (interp.gradients[one] for one in sorted(ids(labels_of(value), GRADIENT))):
        weights.change(interp, target, gradient, gradient.site, gradient.moment)
    marks = {Label(ADAPTED, number) for number in range(before, len(interp.trace.updates))}
    kept = frozenset(label for label in labels_of(value) if label.kind != GRADIENT)
    return Value(labels=kept | marks, switches=value.switches)
