"""Whole reports as they are shown, from fixed JSON: to change a renderer is to change one.

To accept one, delete the golden file, run again, and read what was written.
"""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.report.markdown import render_markdown
from harness.report.model import SCHEMA_PATH
from harness.report.summary import summarise
from harness.report.terminal import WIDTH, render_terminal

GOLDEN = Path(__file__).with_name("golden")
CONTEST = ("contest_clean", "contest_violation")  # of a folder that is driven by a contest's file
REPORTS = ("violation", "clean", "review", "unrunnable", "interrupted", *CONTEST)


@pytest.fixture(params=REPORTS)
def name(request: pytest.FixtureRequest) -> str:
    """One report of each verdict, of an evaluation that a signal ended, of a contest's scripts."""
    return str(request.param)


@pytest.fixture
def report(name: str) -> dict[str, Any]:
    """Its JSON, with the summary that it makes today."""
    given = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    shown: dict[str, Any] = given | {"summary": summarise(given).as_json()}
    return shown


@pytest.mark.parametrize("suffix", ["txt", "md"])
def test_a_report_is_shown_as_its_golden_file(
    name: str, report: dict[str, Any], suffix: str
) -> None:
    """Word for word, on the screen and as report.md."""
    jsonschema.validate(report, json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))
    lines = report["summary"]["lines"]
    shown = f"{render_terminal(lines)}\n" if suffix == "txt" else render_markdown(report)
    golden = GOLDEN / f"{name}.{suffix}"
    if not golden.exists():
        golden.write_text(shown, encoding="utf-8")
        pytest.fail(f"{golden.name} was written: read it")
    assert shown == golden.read_text(encoding="utf-8")


def test_the_screen_keeps_its_width(report: dict[str, Any]) -> None:
    """All but the command, which is one line to be copied."""
    lines = render_terminal(report["summary"]["lines"]).splitlines()
    assert max(len(line) for line in lines if "Replay: " not in line) <= WIDTH
