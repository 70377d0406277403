"""Matches: what a rule's check reports, with the flow that leads there.

Guarantees: each step of a flow is an event of the trace, in the order in which the code runs; a
place that is passed twice in a row is one step.
Does not cover: judging under a profile; steps in between, such as functions that hand tokens on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from audits.facts.events import Moment, Site
from audits.findings import Confidence, Step

Role = tuple[str, Site]  # what happens at a place, such as "read here"


@dataclass(frozen=True, slots=True)
class Match:
    """A pattern and how it was reached."""

    file: str
    line: int
    function: str
    message: str
    confidence: Confidence
    inactive: tuple[str, ...] = ()  # switches, as set in the run, that keep the code from running
    flow: tuple[Step, ...] = ()  # in order of execution; empty when the line says it all

    @classmethod
    def at(
        cls, site: Site, message: str, moments: tuple[Moment, ...], *roles: Role, sure: bool
    ) -> Match:
        """A pattern at a place, which takes all these moments; only what is sure can fail."""
        return cls(
            site.file,
            site.line,
            site.function,
            message,
            Confidence.HIGH if sure else Confidence.MEDIUM,
            tuple(switch for moment in moments for switch in moment.inactive),
            steps(*roles),
        )

    def behind(self, switches: tuple[str, ...]) -> Match:
        """The same behind switches that the run had off, if there are any: information only."""
        if not switches:
            return self
        return replace(self, inactive=switches, confidence=Confidence.LOW)


def settled(*moments: Moment) -> bool:
    """Whether nothing that the folder sets in several ways decides one of these."""
    return not any(moment.ambiguous for moment in moments)


def steps(*roles: Role) -> tuple[Step, ...]:
    """Named places, in order."""
    found: list[Step] = []
    for role, site in roles:
        if not found or (found[-1].file, found[-1].line) != (site.file, site.line):
            found.append(Step(role, site.file, site.line, site.function))
    return tuple(found)
