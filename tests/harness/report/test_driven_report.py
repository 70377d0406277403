"""The report of a script that was driven, made by the command itself: one quick run shows it."""

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contest_records import LEGAL

from harness.commands.evaluate import main

CHANGED = """
TABLE_BUCKETS = 4_194_304
NOTE = f"{ {"a": TABLE_BUCKETS}["a"] }"
"""  # a size in the code, and f-strings of Python 3.12


@dataclass(frozen=True)
class Driven:
    """What the command left."""

    given: str  # the script's text, before
    script: Path
    out: Path
    report: dict[str, Any]
    page: str  # report.md, white space as single blanks
    screen: str  # the same


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Driven:
    """A lone script, quickly."""
    folder = tmp_path_factory.mktemp("lone")
    script, out = folder / "train_gpt.py", folder / "out"
    given = LEGAL["sliding window"].script + CHANGED
    script.write_text(given, encoding="utf-8")
    screen = io.StringIO()
    with contextlib.redirect_stdout(screen):
        main([str(script), "--quick", "--no-static", "--out", str(out)])
    report = json.loads((out / "report.json").read_text())
    page = " ".join((out / "report.md").read_text().split())
    return Driven(given, script, out, report, page, " ".join(screen.getvalue().split()))


def test_every_change_to_the_script_is_named(driven: Driven) -> None:
    """In report.json, in report.md and on the screen; the file of the folder stays as it was."""
    assert driven.script.read_text(encoding="utf-8") == driven.given
    changes = driven.report["driven"]["changes"]
    exchanged = [c for c in changes if "TABLE_BUCKETS = " in c and "compiled" in c]
    lowered = [c for c in changes if c.startswith("train_gpt.py: f-strings lowered")]
    assert len(exchanged) == 1 and len(lowered) == (sys.version_info < (3, 12))
    assert all(change in driven.screen and change in driven.page for change in changes)


def test_what_a_run_read_is_evidence(driven: Driven) -> None:
    """Positions in the ledgers mean tokens of that file; without it nobody can judge again."""
    files = [driven.out / name for name in driven.report["evidence"]]
    assert all(file.is_file() for file in files)
    (stream,) = (file for file in files if file.name == "stream.npy")
    assert stream.parent.name == "base" and len(np.load(stream)) > 2_000


def test_a_report_states_only_what_was_used(driven: Driven) -> None:
    """A record reads no data folder and has no declared settings: none are in its report."""
    assert driven.report["data"] is None
    assert driven.report["settings"] == {}
