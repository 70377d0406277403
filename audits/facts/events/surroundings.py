"""Events around the evaluation: programs, files, downloads, clocks, and text that was prepared.

Guarantees: none of them reads a validation token of the stream as it is scored.
Does not cover: what a program that is started does.
"""

from __future__ import annotations

from dataclasses import dataclass

from audits.facts.events.moments import Moment, Site


@dataclass(frozen=True, slots=True)
class Download:
    """A call that fetches something while the submission runs."""

    site: Site
    moment: Moment
    name: str
    data: bool  # data or weights, rather than a package or a kernel


@dataclass(frozen=True, slots=True)
class Program:
    """Another program that is started."""

    site: Site
    moment: Moment
    name: str


@dataclass(frozen=True, slots=True)
class Pretrained:
    """Weights that somebody else trained."""

    site: Site
    moment: Moment
    name: str


@dataclass(frozen=True, slots=True)
class Helper:
    """A further file of code that the run needs."""

    site: Site
    moment: Moment
    file: str


@dataclass(frozen=True, slots=True)
class LossyText:
    """Documents that are changed, for good, before they are turned into tokens."""

    site: Site
    name: str


@dataclass(frozen=True, slots=True)
class FlagDefault:
    """The default of a command-line flag of a file in the folder."""

    site: Site
    flag: str
    value: object


@dataclass(frozen=True, slots=True)
class Deadline:
    """A clock compared with a known number of seconds."""

    site: Site
    moment: Moment
    seconds: float
