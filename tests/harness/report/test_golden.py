"""Whole reports as they are shown, from fixed JSON: to change a renderer is to change one.

To accept one, delete the golden file, run again, and read what was written.
"""

import json
from pathlib import Path

import jsonschema
import pytest

from harness.report.markdown import render_markdown
from harness.report.model import SCHEMA_PATH
from harness.report.terminal import WIDTH, render_terminal

GOLDEN = Path(__file__).with_name("golden")
REPORTS = ("violation", "clean", "unrunnable")
REPLAY = "python -m harness.evaluate '/home/ada/a record' --seed 7"


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("suffix", ["txt", "md"])
def test_a_report_is_shown_as_its_golden_file(name: str, suffix: str) -> None:
    """Word for word, on the screen and as report.md."""
    report = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.validate(report, json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))
    shown = render_terminal(report) if suffix == "txt" else render_markdown(report, REPLAY)
    golden = GOLDEN / f"{name}.{suffix}"
    if not golden.exists():
        golden.write_text(f"{shown}\n", encoding="utf-8")
        pytest.fail(f"{golden.name} was written: read it")
    assert f"{shown}\n" == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", REPORTS)
def test_the_screen_keeps_its_width(name: str) -> None:
    """All but what a submission said itself is wrapped."""
    report = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    lines = render_terminal(report | {"failure": None}).splitlines()  # it is shown word for word
    assert max(map(len, lines)) <= WIDTH
