"""SARIF 2.1.0, for code scanning.

Guarantees: validates against the OASIS schema; rule ids and fingerprints are stable; the flow of a
finding is its code flow. Packed code points at the wrapper's line, with the unpacked text as the
snippet and its line in the message.
Does not cover: fixes; a rule says what would clear it in its help.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import quote

from audits.catalogue import RULES
from audits.findings import Step
from audits.output.escape import visible
from audits.output.rule_text import help_of, markdown_of
from audits.output.view import Entry, ReservationKind, View
from audits.tool import version

SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_HOME: Final = "https://github.com/openai/parameter-golf/issues/1017"
_LEVELS: Final = {"fail": "error", "warn": "warning", "info": "note"}
_NOTES: Final = {
    ReservationKind.UNREADABLE: "could not be read, so not judged",
    ReservationKind.PARTLY: "what was not read was not judged",
    ReservationKind.UNJUDGED: "not judged",
    ReservationKind.UNDECIDED: "judged, but no pass",
}
_Json = dict[str, Any]


def as_sarif(view: View) -> str:
    found = (entry.finding.rule for entry in view.entries)
    rules = list(dict.fromkeys((*view.rules, *found)))  # a paper's rule has no check of its own
    driver = {
        "name": "scorefirst",
        "semanticVersion": version(),
        "informationUri": _HOME,
        "rules": [_rule(rule, view.profile) for rule in rules],
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"scorefirst/{view.profile}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": _notes(view)}],
        "results": [_result(entry, view, rules) for entry in view.entries],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2) + "\n"


def _rule(name: str, profile: str) -> _Json:
    rule = RULES[name]
    return {
        "id": name,
        "name": name.replace("-", ""),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.statement},
        "help": {"text": help_of(rule), "markdown": markdown_of(rule)},
        "defaultConfiguration": {"level": _LEVELS[rule.severity[profile]]},
        "properties": {"tags": [rule.status.lower()], "sources": list(rule.sources)},
    }


def _result(entry: Entry, view: View, rules: list[str]) -> _Json:
    finding = entry.finding
    text = finding.message
    if finding.wrapper_line is not None:
        text = f"line {finding.line} of the unpacked text: {text}"
    result: _Json = {
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "level": _LEVELS[finding.status],
        "message": _message(text),
        "locations": [_location(entry.path, entry.line, finding.function, finding.excerpt)],
        "partialFingerprints": {"scorefirst/v1": entry.fingerprint},
        "properties": {"confidence": finding.confidence, "line": finding.line},
    }
    if finding.flow:
        steps = [{"location": place} for place in _flow(entry)]
        result["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
    if view.baseline is not None:
        result["baselineState"] = "unchanged" if entry.known else "new"
    return result


def _flow(entry: Entry) -> Iterator[_Json]:
    folder = entry.path.removesuffix(entry.file.path)
    packed = entry.finding.wrapper_line
    for step in entry.finding.flow:
        line = packed if packed is not None and step.file == entry.file.path else step.line
        location = _location(folder + step.file, line, step.function, step.excerpt)
        yield location | {"message": _message(_step_text(step))}


def _step_text(step: Step) -> str:
    return f"{step.role} (line {step.line}): {step.excerpt}"


def _message(text: str) -> _Json:
    """Viewers make a link of `[text](address)` also in plain text."""
    return {"text": visible(text).replace("](", "] (")}


def _location(path: str, line: int, function: str, excerpt: str) -> _Json:
    physical: _Json = {"artifactLocation": _artifact(path)}
    if line > 0:
        physical["region"] = {"startLine": line, "snippet": {"text": excerpt}}
    logical = {"name": visible(function), "kind": "function"}
    return {"physicalLocation": physical, "logicalLocations": [logical]}


def _artifact(path: str) -> _Json:
    uri = quote(path, errors="replace")
    if PurePath(path).is_absolute():
        return {"uri": f"file://{uri}"}
    return {"uri": uri, "uriBaseId": "%SRCROOT%"}


def _notes(view: View) -> list[_Json]:
    """What keeps the run from being a pass: no finding, and no code scanner may hide it."""
    nothing = [
        {"level": "warning", "message": _message(f"nothing to scan, so not judged: {message}")}
        for message in view.nothing
    ]
    return nothing + [
        {
            "level": "error" if one.kind is ReservationKind.UNREADABLE else "warning",
            "message": _message(f"{_NOTES[one.kind]}: {one.file.note}"),
            "locations": [{"physicalLocation": {"artifactLocation": _artifact(one.path)}}],
        }
        for one in view.reservations
    ]
