"""The flow that leads to a finding, such as: read here, trained here, stepped here, scored here.

Guarantees: each station is an event of the trace, in the order in which the code runs.
Does not cover: stations in between, such as the functions that hand the tokens on.
"""

from __future__ import annotations

from audits.facts.events import Accumulation, Site, Update
from audits.facts.labels import TOKENS, ids
from audits.facts.trace import Trace
from audits.findings import Step
from audits.flow import with_ancestors


def adaptation(trace: Trace, update: Update, score: Accumulation) -> tuple[Step, ...]:
    """From the cut of the stream that was trained on to the score that came too late."""
    reads = [trace.reads[read].site for read in with_ancestors(trace, ids(update.labels, TOKENS))]
    near = [site for site in reads if site.function == update.backward.function] or reads
    first = min(near, key=lambda site: (site.file, site.line), default=None)
    stations = [("read here", first)] if first is not None else []
    stations.append(("trained here", update.backward))
    if update.site != update.backward:
        stations.append(("stepped here", update.site))
    stations.append(("scored here", score.site))
    return along(*stations)


def along(*stations: tuple[str, Site]) -> tuple[Step, ...]:
    """Named places, in order; a place that is passed twice in a row is one station."""
    steps: list[Step] = []
    for role, site in stations:
        if not steps or (steps[-1].file, steps[-1].line) != (site.file, site.line):
            steps.append(Step(role, site.file, site.line, site.function))
    return tuple(steps)
