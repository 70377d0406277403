"""Events inside a model's class: what its layers let a place of the sequence know, or charge.

Guarantees: each keeps the attributes that switch it.
Does not cover: when the layer is called.
"""

from __future__ import annotations

from dataclasses import dataclass

from audits.facts.events.moments import Site


@dataclass(frozen=True, slots=True)
class Smear:
    """A layer that mixes each position with the one before it."""

    site: Site
    masked: bool  # not across the boundary token
    guards: tuple[str, ...]  # attributes that switch it


@dataclass(frozen=True, slots=True)
class Attention:
    """An attention call that hides nothing: not causal, and without a mask."""

    site: Site
    guards: tuple[str, ...]  # attributes that switch it


@dataclass(frozen=True, slots=True)
class LookAhead:
    """A layer by which a place of the sequence knows a later one, step by step understood."""

    site: Site
    how: str
    cls: str  # the class that it stands in
    guards: tuple[str, ...]  # attributes that switch it
    whole: str  # the class, or function, that gives back what is made so
    sure: bool = True  # whether it must be later places that are looked at


@dataclass(frozen=True, slots=True)
class ModelLoss:
    """A loss that a model gives back, which is a part of a cross-entropy."""

    site: Site
    how: str
    cls: str  # the class of the model
    guards: tuple[str, ...]  # attributes that switch it
    share: float
