"""Events by which validation tokens shape weights, or logits their own target.

Guarantees: an update keeps what it changed, and whose loss.
Does not cover: what training on other shards does to anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from audits.facts.events.moments import Moment, Site
from audits.facts.labels import Label
from audits.facts.values import Obj


@dataclass(frozen=True, slots=True)
class Update:
    """An optimiser step, or a write into weights, whose gradient came from validation tokens."""

    site: Site  # the step
    backward: Site
    moment: Moment
    labels: frozenset[Label]  # of the loss
    targets: frozenset[Obj]  # what was changed
    shared: bool = False  # the gradient went through a collective


@dataclass(frozen=True, slots=True)
class Training:
    """The same with a gradient that came from anything else; nothing is judged by it."""

    site: Site  # the step
    backward: Site
    moment: Moment
    labels: frozenset[Label]  # of the loss
    targets: frozenset[Obj]


@dataclass(frozen=True, slots=True)
class Calibration:
    """A forward pass while hooks listen to the layers: statistics are taken of its input."""

    site: Site
    moment: Moment
    labels: frozenset[Label]  # of the input
    output: frozenset[int]  # what the model returned, as in OUTPUT labels


@dataclass(frozen=True, slots=True)
class Mixing:
    """Something made of tokens, added to logits or put into them."""

    site: Site
    tokens: frozenset[int]  # TokenReads
    voted: bool = False  # by what a model said of other tokens


@dataclass(frozen=True, slots=True)
class Foresight:
    """A loss whose logits were made of its own target, or of that target's own loss."""

    site: Site  # where the target came in
    moment: Moment
    how: str
    voted: bool = False  # as a memory of answers does


@dataclass(frozen=True, slots=True)
class Echo:
    """A loss taken of the very tokens that were the model's input."""

    site: Site
    moment: Moment
    outputs: frozenset[int]  # as in OUTPUT labels
    bare: bool = False  # by the same name, with nothing done to them


@dataclass(frozen=True, slots=True)
class SidecarInput:
    """A model that is given what a file of byte counts holds."""

    site: Site
    moment: Moment
    output: frozenset[int]  # as in OUTPUT labels
