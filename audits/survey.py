"""From traces to the map of a script: what scores, what learns, what else is on and off.

Guarantees: what is on was reached as the run was configured; what is off was reached only when the
switches were tried both ways, and says which switch has it off.
Does not cover: techniques that leave no event, but for the switches that decide them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from audits.adaptation import licensed
from audits.facts.documented.configuration import Configuration
from audits.facts.events import Accumulation, Moment, Site, TableRead, Update
from audits.facts.events import Training as TrainingEvent
from audits.facts.labels import ACCUMULATED, OUTPUT, TRAIN, Label, kinds
from audits.facts.trace import Trace
from audits.facts.values import Obj
from audits.flow import regions, reports
from audits.recognised import (
    PrintedLine,
    Recognised,
    Scoring,
    SwitchSet,
    Technique,
    Training,
    Unfollowed,
)

_ON: Final = frozenset({"1", "true", "yes", "on"})
_OFF: Final = frozenset({"0", "false", "no", "off", ""})
MOST_SCORES: Final = 500  # the latest; a real script has tens
LONGEST_LINE: Final = 200  # characters of a message
VALIDATION_TRAINING: Final = "training on validation tokens"
Dated = tuple[str, Site, Moment]  # what it is called


def survey(trace: Trace, explored: Trace, config: Configuration) -> Recognised:
    """Of the reading as the run was configured, and of the one that tries every switch."""
    return Recognised(
        tuple(_scores(trace)),
        tuple(_trained(trace)),
        (*_on(trace), *_off(trace, explored)),
        tuple(_switches(trace, config)),
        tuple(
            Unfollowed(*_place(one.site), construct=one.construct, lost=one.lost)
            for one in trace.cuts
        ),
    )


def _place(site: Site) -> tuple[str, int, str]:
    return site.file, site.line, site.function


def _scores(trace: Trace) -> Iterator[Scoring]:
    """Totals that become bits per byte; where none is added up step by step, reports.

    Of a place that is reached several times, the loops are those of the last.
    """
    numbers = sorted(trace.scored)[-MOST_SCORES:]
    marked = [
        (trace.accumulations[number], frozenset({Label(ACCUMULATED, number)})) for number in numbers
    ]
    if not marked:
        marked = [(one, _results_in(one.labels)) for one in trace.reports[-MOST_SCORES:]]
    marked.sort(key=lambda pair: pair[0].site.line)
    for site, group in groupby(marked, key=lambda pair: pair[0].site):
        same = list(group)
        scores, marks = [one for one, _ in same], [mark for _, mark in same]
        yield Scoring(
            *_place(site),
            loops=tuple(trace.loops[loop].line for loop in scores[-1].moment.loops),
            printed=tuple(_printed(trace, marks)),
            in_part=", ".join(sorted(_parts(trace, scores))),
            submitted=_is_submitted(trace, scores, marks),
        )


def _parts(trace: Trace, scores: Iterable[Accumulation]) -> set[str]:
    """Slices of what is scored; a test of values is another thing."""
    found = {region.text for one in scores for region in regions(trace, one.labels)}
    return {text for text in found if ":" in text}


def _results_in(labels: frozenset[Label]) -> frozenset[Label]:
    return frozenset(one for one in labels if one.kind in (OUTPUT, ACCUMULATED))


def _printed(trace: Trace, marks: Sequence[frozenset[Label]]) -> Iterator[PrintedLine]:
    """Lines that all of one of these results went into."""
    seen: set[PrintedLine] = set()
    for one in trace.messages:
        if any(mark <= one.labels for mark in marks):
            text = "...".join(one.text)[:LONGEST_LINE].strip()
            line = PrintedLine(one.site.file, one.site.line, text)
            if line not in seen:
                seen.add(line)
                yield line


def _is_submitted(
    trace: Trace, scores: Sequence[Accumulation], marks: Sequence[frozenset[Label]]
) -> bool | None:
    if trace.submitted is None:
        return None
    counted = reports(trace)
    return any(mark <= trace.submitted for mark in marks) or any(one in counted for one in scores)


def _trained(trace: Trace) -> Iterator[Training]:
    """One for each place of a gradient, in order of lines."""
    found: dict[tuple[Site, str], Training] = {}
    for other in trace.trainings:
        on = "training shards" if TRAIN in kinds(other.labels) else "data that is not known"
        found.setdefault((other.backward, on), _training(other, on, ""))
    for update in trace.updates:
        when = "after scores were kept" if licensed(trace, update) else "before scores are kept"
        made = _training(update, "validation tokens", when)
        found.setdefault((update.backward, when), made)
    yield from sorted(found.values(), key=lambda one: (one.file, one.line))


def _training(one: TrainingEvent | Update, on: str, when: str) -> Training:
    place = _place(one.backward)
    return Training(*place[:2], one.site.line, place[2], _named(one.targets), on, when)


def _named(targets: Iterable[Obj]) -> str:
    """Models by their class, tensors by the line where they were made."""
    models = {one.cls.name if one.cls else "a model" for one in targets if one.kind == "module"}
    lines = sorted({one.line for one in targets if one.kind == "tensor"})
    tensors = [f"tensors of line {', '.join(map(str, lines[:3]))}"] if lines and not models else []
    return ", ".join([*sorted(models), *tensors]) or "weights"


def _events(trace: Trace) -> Iterator[Dated]:
    """Whatever is more than a model, its training and its score."""
    yield from _dated("a table is filled by tokens", trace.table_writes)
    tables = [one for one in trace.table_reads if _is_filled(trace, one)]
    yield from _dated("a table that tokens filled is looked up", tables)
    yield from _dated("layers are listened to, as calibration does", trace.calibrations)
    yield from _dated("native code spreads a token's probability over bytes", trace.native_calls)
    yield from _dated("hints that come true lower losses", trace.tilts)
    yield from _dated("the smaller of two losses is taken", trace.choices)
    chosen = [one for one in trace.statistics if one.choice]
    yield from _dated("something is kept because of a loss", chosen)
    yield from _dated("ranks share something made of tokens", trace.exchanges)
    yield from _dated("another program is started", trace.programs)
    yield from _dated("something is fetched", trace.downloads)
    yield from _dated("weights that somebody else trained", trace.pretrained)


def _is_filled(trace: Trace, one: TableRead) -> bool:
    return not trace.written_tables.isdisjoint(one.tables)


def _dated(name: str, events: Iterable[object]) -> Iterator[Dated]:
    for one in events:
        yield name, one.site, one.moment  # type: ignore[attr-defined]


def _on(trace: Trace) -> Iterator[Technique]:
    """The first place of each."""
    seen: set[str] = set()
    for name, site, moment in _events(trace):
        if name not in seen and not moment.inactive:
            seen.add(name)
            yield Technique(name, *_place(site), on=True, switch="")


def _off(trace: Trace, explored: Trace) -> Iterator[Technique]:
    """What only a switch keeps from running; not what is on elsewhere."""
    seen = {name for name, _, moment in _events(trace) if not moment.inactive}
    trained = _dated(VALIDATION_TRAINING, () if trace.updates else explored.updates)
    for name, site, moment in (*trained, *_events(explored)):
        if name not in seen and moment.inactive:
            seen.add(name)
            switch = ", ".join(dict.fromkeys(moment.inactive))
            yield Technique(name, *_place(site), on=False, switch=switch)


def _switches(trace: Trace, config: Configuration) -> Iterator[SwitchSet]:
    """Those with two positions that chose a branch."""
    for name in sorted(trace.deciding & set(trace.defaults)):
        setting = config.setting(name)
        default = trace.defaults[name]
        text = str(setting.value if setting else default).lower()
        if name not in config.ambiguous and text in _ON | _OFF and default is not None:
            origin = setting.origin if setting else "its default"
            yield SwitchSet(name, text in _ON, origin)
