"""The public face, as another program calls it."""

import json
import re
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import jsonschema
import pytest
from contest_records import LEGAL

import audits.scan
import harness
from harness.errors import SubmissionError, UsageError
from harness.evaluation import Evaluation
from harness.report.model import SCHEMA_PATH
from harness.verdict.decide import Verdict

ROOT = Path(__file__).resolve().parents[2]
SCAN_SCHEMA = ROOT / "audits" / "schemas" / "scan.schema.json"


def test_wrong_use_is_an_error_of_the_tree_and_no_exit(tmp_path: Path) -> None:
    """Each before anything runs."""
    from harness import evaluate

    script = tmp_path / "train_gpt.py"
    script.write_text("print('val_loss:1.0 val_bpb:1.0')\n")
    wrongs = [{"profile": "lenient"}, {"device": "tpu"}, {"jobs": 0}, {"jobs": "2"}, {"seed": 0.5}]
    for wrong in (*wrongs, {"quick": True, "all": True}, {"data": "."}):
        with pytest.raises(UsageError):
            evaluate(script, **wrong, out=tmp_path / "out")
    with pytest.raises(UsageError, match="no such file or folder"):
        evaluate(tmp_path / "nowhere")
    assert not (tmp_path / "out").exists()


def test_wrong_use_that_shows_late_leaves_no_report(tmp_path: Path, monkeypatch) -> None:
    """Not even the one that stands while an evaluation is under way."""
    (tmp_path / "train_gpt.py").write_text("print('val_loss:1.0 val_bpb:1.0')\n")
    out = tmp_path / "out"

    def run(_: Evaluation) -> None:
        assert json.loads((out / "report.json").read_text())["interrupted"] == "SIGKILL"
        raise UsageError("which of them?")

    monkeypatch.setattr(Evaluation, "run", run)
    with pytest.raises(UsageError, match="which of them"):
        harness.evaluate(tmp_path / "train_gpt.py", out=out)
    assert not [*out.glob("report*")]


def test_evaluate_is_the_function_whatever_was_imported_before() -> None:
    """A module of that name exists for `python -m` alone: whoever imported it would shadow it."""
    assert callable(harness.evaluate)
    assert "harness.evaluate" not in sys.modules
    imported = re.compile(r"^\s*(from|import) harness\.evaluate\b", re.MULTILINE)
    for folder in ("harness", "tests", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not imported.search(path.read_text(encoding="utf-8")), path


def test_what_the_face_raises_is_on_it() -> None:
    """A caller needs no module of ours by name."""
    from harness import HarnessError

    assert harness.UsageError is UsageError
    assert harness.SubmissionError is SubmissionError
    assert issubclass(UsageError, HarnessError)
    assert set(harness.__all__) == {name for name in harness.__all__ if getattr(harness, name)}


def test_the_package_itself_is_light() -> None:
    """It is imported beside untrusted code; a name that it does not have is an AttributeError."""
    with pytest.raises(AttributeError, match="nothing_of_that_name"):
        _ = harness.nothing_of_that_name


def test_a_scan_is_what_the_command_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Valid under the published schema, and word for word the same."""
    script = tmp_path / "train_gpt.py"
    script.write_text(LEGAL["score-first TTT"].script)
    scanned = harness.scan(str(script), profile="leaderboard")
    published = scanned.to_json()
    jsonschema.validate(published, json.loads(SCAN_SCHEMA.read_text()))
    audits.scan.main([str(script), "--profile", "leaderboard", "--format", "json"])
    assert published == json.loads(capsys.readouterr().out)
    assert scanned.failed == any(found.status == "fail" for found in scanned.findings)


def test_what_cannot_be_scanned_is_an_error_of_the_tree(tmp_path: Path) -> None:
    """Wrong use, and a folder without code, are told apart."""
    with pytest.raises(UsageError, match="no such file"):
        harness.scan(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="lenient"):
        harness.scan(tmp_path, profile="lenient")
    with pytest.raises(SubmissionError, match="no Python files"):
        harness.scan(tmp_path)


def test_what_cannot_be_run_is_a_report_and_nothing_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Frozen, valid under the published schema, and the one that was written."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "submission.json").write_text('{"harness": {"protocol": 99}}')
    report = harness.evaluate(str(tmp_path / "folder"), out=tmp_path / "out")
    assert report.verdict is Verdict.UNRUNNABLE
    published = report.to_json()
    jsonschema.validate(published, json.loads(SCHEMA_PATH.read_text()))
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == published
    assert "protocol" in (tmp_path / "out" / "report.md").read_text()
    assert "".join(capfd.readouterr()) == ""
    with pytest.raises(FrozenInstanceError):
        report.profile = "leaderboard"
