"""What is changed in a script so that it runs here is said wherever the verdict is."""

import json
import sys
from pathlib import Path

import pytest
from contest_records import LEGAL

from harness.evaluate import main

CHANGED = """
TABLE_BUCKETS = 4_194_304
NOTE = f"{ {"a": TABLE_BUCKETS}["a"] }"
"""  # a size in the code, and f-strings of Python 3.12


def test_every_change_to_the_script_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In report.json, in report.md and on the screen; the file of the folder stays as it was."""
    script, out = tmp_path / "train_gpt.py", tmp_path / "out"
    text = LEGAL["sliding window"].script + CHANGED
    script.write_text(text, encoding="utf-8")
    main([str(script), "--quick", "--no-static", "--out", str(out)])
    assert script.read_text(encoding="utf-8") == text
    changes = json.loads((out / "report.json").read_text())["driven"]["changes"]
    exchanged = [c for c in changes if "TABLE_BUCKETS = " in c and "compiled" in c]
    lowered = [c for c in changes if c.startswith("train_gpt.py: f-strings lowered")]
    assert len(exchanged) == 1 and len(lowered) == (sys.version_info < (3, 12))
    screen = " ".join(capsys.readouterr().out.split())
    page = " ".join((out / "report.md").read_text().split())
    assert all(change in screen and change in page for change in changes)
