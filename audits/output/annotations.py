"""GitHub workflow commands: each finding beside its line in a pull request.

Guarantees: one line a finding, one for each file that was not read, not read to its end or not
judged, and one for each path without anything to scan; text of a submission cannot start a command
of its own.
Does not cover: findings that the baseline knows; these are left out.
"""

from __future__ import annotations

from typing import Final

from audits.catalogue import RULES
from audits.output.escape import visible
from audits.output.view import Entry, View

_LEVELS: Final = {"fail": "error", "warn": "warning", "info": "notice"}


def as_annotations(view: View) -> str:
    lines = [_line(entry) for entry in view.entries if not entry.known]
    lines += [
        f"::warning file={_property(one.path)},title={one.kind}::{_data(one.file.note)}"
        for one in view.reservations
    ]
    lines += [f"::warning title=nothing to scan::{_data(message)}" for message in view.nothing]
    return "".join(line + "\n" for line in lines)


def _line(entry: Entry) -> str:
    finding = entry.finding
    title = f"{finding.rule} {RULES[finding.rule].title}"
    place = f"file={_property(entry.path)},line={max(entry.line, 1)},title={_property(title)}"
    message = finding.message
    if finding.wrapper_line is not None:
        message = f"line {finding.line} of the unpacked text: {message}"
    return f"::{_LEVELS[finding.status]} {place}::{_data(message)}"


def _data(text: str) -> str:
    return visible(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
