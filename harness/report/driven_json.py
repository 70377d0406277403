"""The `driven` part of report.json: what was run of a script, how, and what it printed.

Its keys are published (`report.schema.json`): some say a thing in words that the code has left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.checks.file_reads import reads_of
from harness.checks.source import SourceTest
from harness.configure.configuration import Configuration
from harness.examination import Examination
from harness.experiments.driver import ScriptDriver
from harness.experiments.evidence import Evidence
from harness.protocol.job import Outcome
from harness.trace.script_run import ScriptRun
from harness.verdict.judge import Judged


def driven_json(examination: Examination) -> dict[str, Any] | None:
    """None where nothing was run."""
    driver = examination.driver
    if driver is None:
        return None
    kept = driver.chosen if examination.evidence is not None else None
    told = kept or (driver.tried[-1].configuration if driver.tried else None)
    shown: dict[str, Any] = {
        "entry": examination.subject.name,
        "broken_off": examination.announced.under_way,
        "attempts": [
            attempt_json(one.configuration, one.outcome, one.lacks, kept=one.configuration is kept)
            for one in driver.tried
        ],
        "configuration": configuration_json(told) if told else {},
        "changes": _in_words(driver.changes),
        "headline": None,
        "reconstruction": None,
        "coverage": None,
        "numbers": [],
        "numbers_left_out": 0,
        "runs": {name: run_json(outcome) for name, outcome in examination.made.items()},
        "not_run": _not_run(examination.evidence),
        "power": [],
        "reads": [],
        "walls": _isolation(examination, driver),
        "capture_errors": [],
    }
    if examination.evidence is not None and examination.judged is not None:
        shown |= _judged(examination.evidence, examination.judged)
    return shown


def attempt_json(
    told: Configuration, outcome: Outcome, lacks: Sequence[str] = (), *, kept: bool
) -> dict[str, Any]:
    """`kept`: the later runs have the same configuration."""
    how = {"why": told.why, "how": outcome.state, "cause": outcome.cause, "where": outcome.where}
    return {**how, "wall_s": outcome.wall_s, "lacks": [*lacks], "kept": kept}


def run_json(outcome: Outcome) -> dict[str, Any]:
    """How a run ended."""
    return {"how": outcome.state, "wall_s": outcome.wall_s, "cause": outcome.cause}


def configuration_json(told: Configuration) -> dict[str, dict[str, str]]:
    """Every value that the script was told, and who says so."""
    return {
        key: {"value": v.text, "source": str(v.origin), "origin": v.origin.kind}
        for key, v in sorted(told.settings.items())
    }


def _isolation(examination: Examination, driver: ScriptDriver) -> list[str]:
    """The parts that were active in every run."""
    outcomes = [attempt.outcome for attempt in driver.tried]
    outcomes += examination.made.values()
    first = outcomes[0].isolation if outcomes else ()
    return [part for part in first if all(part in o.isolation for o in outcomes)]


def _in_words(changes: Mapping[str, Sequence[str]]) -> list[str]:
    """Each change that was made to the script; with its runs, where not every run had it."""
    runs: dict[str, list[str]] = {}
    for run, texts in changes.items():
        for text in texts:
            runs.setdefault(text, []).append(run)
    return [
        text if len(had) == len(changes) else f"{text} (in {'; '.join(had)})"
        for text, had in runs.items()
    ]


def _not_run(evidence: Evidence | None) -> dict[str, str]:
    return {str(name): why for name, why in evidence.skipped.items()} if evidence else {}


def _judged(evidence: Evidence, judged: Judged) -> dict[str, Any]:
    base = evidence.base
    return {
        "headline": base.headline.text if base.headline else None,
        "reconstruction": base.scored.gap if base.scored else None,
        "coverage": base.scored.coverage if base.scored else None,
        "numbers": [_number(base, test) for test in judged.tests],
        "power": [
            {
                "class": p.name,
                "applies": p.applies,
                "shown": p.shown,
                "saved_nats": p.below_source,
                "text": p.text,
            }
            for p in judged.powers
        ],
        "reads": [asdict(read) for read in reads_of(base)],
        "capture_errors": base.faults,
        "numbers_left_out": base.left_out,
    }


def _number(base: ScriptRun, test: SourceTest) -> dict[str, Any]:
    """One printed number: what was saved against the source, and how well it was rebuilt."""
    scored = base.passes.get(test.printed.line)
    return {
        "line": test.printed.line,
        "tag": test.printed.tag,
        "nats_per_token": test.printed.nats_per_token,
        "bits_per_byte": test.printed.bits_per_byte,
        "diagnostic": test.printed.diagnostic,
        "saved_nats": test.below_source,
        "saved_nats_per_token": test.below_source_per_token,
        "reconstruction": scored.gap if scored else None,
    }
