"""The report of a script that was driven, made by the command itself: one quick run shows it."""

import contextlib
import io
import json
import math
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
        main([str(script), "--quick", "--no-static", "--seed", "1337", "--out", str(out)])
    report = json.loads((out / "report.json").read_text())
    page = " ".join((out / "report.md").read_text().split())
    return Driven(given, script, out, report, page, " ".join(screen.getvalue().split()))


def test_every_change_to_the_script_is_named(driven: Driven) -> None:
    """In report.json and report.md, and counted on the screen; the folder's file stays."""
    assert driven.script.read_text(encoding="utf-8") == driven.given
    changes = driven.report["driven"]["changes"]
    exchanged = [c for c in changes if "TABLE_BUCKETS = " in c and "compiled" in c]
    lowered = [c for c in changes if c.startswith("train_gpt.py: f-strings lowered")]
    assert len(exchanged) == 1 and len(lowered) == (sys.version_info < (3, 12))
    page = driven.page.replace("&#91;", "[").replace("&#93;", "]")
    assert all(change in page for change in changes)
    assert f"the script changed in {len(changes)} way" in driven.screen


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


def test_quick_says_what_it_did_not_ask_for(driven: Driven) -> None:
    """No run of a battery broke off where none was wanted."""
    message = driven.report["rules"]["CAUSAL-1"]["message"]
    assert "--quick makes no run beyond the base run" in message and "end" not in message
    assert "no later token was changed" in driven.screen


def test_bytes_nats_and_bits_of_one_report_multiply_out(driven: Driven) -> None:
    """The score's bytes are those that BYTES-1 counted, and the printed pair implies as many."""
    score, (counted,) = driven.report["score"], driven.report["rules"]["BYTES-1"]["findings"]
    assert score["bytes"] == round(counted["counted_bytes"])
    assert score["nats"] / math.log(2) / score["bytes"] == pytest.approx(score["bits_per_byte"])
    assert score["bits_per_byte"] == pytest.approx(counted["bits_per_byte"], rel=1e-3)
