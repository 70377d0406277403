"""An evaluation tells what a record claims, and its verdict hears of what contradicts."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from paper_folders import log, write_folder

from audits.contests import chosen_contest
from harness.evaluation import Evaluation
from harness.options import Options
from harness.report.markdown import render_markdown
from harness.report.model import SCHEMA_PATH
from harness.verdict.decide import Verdict

SCHEMA = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))


def told(folder: Path, out: Path, **options: str) -> tuple[Evaluation, dict[str, object]]:
    """An evaluation that got as far as the claims, and its report."""
    out.mkdir()
    evaluation = Evaluation(Options(folder=folder, out=out, seed=1, **options))
    evaluation.contest = chosen_contest(folder)
    evaluation._claim(evaluation.contest.contest)
    evaluation.tables = evaluation._judged(None)
    return evaluation, evaluation._report().to_json()


@pytest.mark.parametrize("profile", ["strict", "leaderboard"])
def test_a_folder_that_logs_and_declares_too_much_is_a_violation(
    tmp_path: Path, profile: str
) -> None:
    """31,019,889 bytes, said twice: the report names them, and is valid."""
    over = log(1.1, total=31_019_889, weights=30_959_889)
    declared = {"bytes_total": 31_019_889, "val_bpb": 1.1, "seed_results": {}}
    folder = write_folder(tmp_path / "folder", {"train.log": over}, declared)
    _, report = told(folder, tmp_path / "out", profile=profile)
    Draft202012Validator(SCHEMA).validate(report)

    assert report["verdict"] == Verdict.VIOLATION
    assert "31,019,889" in json.dumps(report["rules"])
    assert "What it says of its own numbers" in render_markdown(report)


def test_an_honest_folder_gives_no_rule_a_status(tmp_path: Path) -> None:
    """A log is no test: nothing passes by it, and nothing is undecided."""
    evaluation, report = told(write_folder(tmp_path / "folder"), tmp_path / "out")
    Draft202012Validator(SCHEMA).validate(report)

    assert evaluation.findings == []
    assert report["rules"] == {}
    assert {one["standing"] for one in report["claims"]["findings"]} == {"pass"}
    assert report["claims"]["logs"][0]["implied_bytes"] == pytest.approx(151_080_891)
