"""Where and when an event happens.

Guarantees: a moment keeps the loops it runs in, so "the same iteration" can be told from "an
earlier loop", and the switches that keep it from running.
Does not cover: the order between events; their moments' positions tell it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Site:
    """Where in the submission an event comes from."""

    file: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class Moment:
    """When an event happens, and under which conditions."""

    position: int  # order of execution
    loops: tuple[int, ...]  # activations of the enclosing loops, outermost first
    inactive: tuple[str, ...]  # "NAME=value" of switches that keep this code from running
    ambiguous: tuple[str, ...]  # switches that the folder's own commands set differently
    last_only: tuple[int, ...] = ()  # loops of several rounds in whose last round alone it happens
    no_grad_blocks: tuple[int, ...] = ()  # enclosing blocks that promise to keep no gradients
