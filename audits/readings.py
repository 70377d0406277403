"""The readings of one script: as the run was configured, what is beside its number, every switch.

Guarantees: a match is kept from the first reading that shows it: as it is, then as a note on
results beside the submitted number, then as information on code that a switch keeps from running.
Does not cover: weighing a match under a profile; that is for `judge`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import Final

from audits import facts
from audits.facts.documented.logs import SubmittedLine
from audits.facts.events import FlagDefault, LossyText
from audits.facts.texts import flags, preparation
from audits.facts.texts.native import Natives
from audits.facts.trace import Trace
from audits.findings import Confidence
from audits.flow import scores
from audits.folder import Files, Target
from audits.match import Match
from audits.recognised import Recognised
from audits.rules import CHECKS
from audits.source import Unreadable, content_of
from audits.survey import survey

LONGEST_LINE: Final = 160  # characters of a log's line
PREPARATION_FLAG: Final = b"--val"  # only files that have such a flag are read for their defaults
_SURENESS: Final = {Confidence.HIGH: 0, Confidence.MEDIUM: 1, Confidence.LOW: 2}


class Reading(Files):
    """Two passes over one target: as the run was configured, and with every switch both ways."""

    def __init__(self, target: Target, *, decided: bool) -> None:
        super().__init__(target)
        self.decided = decided  # this is the submission; else it may be, and nothing in it can fail
        self.matches: dict[tuple[str, str, int], Match] = {}  # one per rule, file and line
        self.natives = Natives(target.natives)
        self.flags: list[FlagDefault] = []
        self.lossy_texts: list[LossyText] = []
        self.cut_short = False
        self.scored = False
        self.configured = Trace()  # what was read as the run was configured
        self.recognised: Recognised | None = None

    def read_flags(self) -> None:
        """Preparation scripts are part of what a folder says, though the entry never runs them."""
        for name in sorted({*self.target.files} - self.target.links):
            try:
                content = content_of(self.target.root / name)
            except Unreadable:  # where the entry reaches it, the report says so
                continue
            prepares = preparation.worth_reading(content)
            if PREPARATION_FLAG not in content and not prepares:
                continue
            if (tree := self.tree_of(name)) is not None:
                self.flags += flags.defaults(tree, name)
                self.lossy_texts += preparation.lossy(tree, name) if prepares else ()

    def read(self, rules: Collection[str], *, explore: bool) -> None:
        trace = facts.read(
            self.tree_of,
            self.target.entry,
            self.target.config,
            explore=explore,
            natives=self.natives,
            factory=self.target.factory,
        )
        trace.flags += self.flags
        trace.lossy_texts += self.lossy_texts
        self.cut_short |= trace.cut_short
        self.scored |= any(scores(trace))
        if explore:
            self._keep(rules, trace, _switched_off)
            self.recognised = survey(self.configured, trace, self.target.config)
            return
        self.configured = replace(trace)  # before anything of it is set aside
        self.recognised = survey(trace, trace, self.target.config)
        self._keep(rules, trace, lambda match: match)
        if trace.submitted is not None:
            line = self.target.config.logs.submitted[0]
            trace.submitted = None
            self._keep(rules, trace, partial(_beside, line=line))

    def _keep(self, rules: Collection[str], trace: Trace, said: Callable[[Match], Match]) -> None:
        """What the checks find that is not known yet, as it is to be said."""
        for rule in sorted(rules):
            surest = sorted(CHECKS[rule].run(trace), key=lambda match: _SURENESS[match.confidence])
            for match in surest:
                self.matches.setdefault((rule, match.file, match.line), said(match))


def _beside(match: Match, line: SubmittedLine) -> Match:
    """A match in results that the run prints, but that are not in the number it submits."""
    place = f"{line.file} line {line.printed.line}"
    message = (
        f"{match.message}; printed beside the submitted number, which is {place}: "
        f"{line.printed.text[:LONGEST_LINE]}"
    )
    return replace(match, message=message, confidence=Confidence.LOW)


def _switched_off(match: Match) -> Match:
    """A match that only trying the switches brings up: not what the run did."""
    switches = (
        ", ".join(dict.fromkeys(match.inactive)) or "a switch that this configuration leaves off"
    )
    message = f"{match.message}; not reached in this configuration: {switches}"
    return replace(match, message=message, confidence=Confidence.LOW)
