"""Renderers of a scan: one view, many formats.

Guarantees: each is a pure function of the view; what comes from a submission is escaped for its
format.
Does not cover: exit codes and files; the command looks after these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from audits.output.annotations import as_annotations
from audits.output.json_report import as_json
from audits.output.junit import as_junit
from audits.output.markdown import as_markdown
from audits.output.sarif import as_sarif
from audits.output.text import as_text
from audits.output.view import View

FORMATS: Final[Mapping[str, Callable[[View], str]]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "junit": as_junit,
    "github": as_annotations,
    "markdown": as_markdown,
}
