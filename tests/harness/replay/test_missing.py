"""What a report needs and what is not here is said before anything runs."""

import json
from pathlib import Path

import pytest

from audits.facts.documented.printed_scores import printed_numbers
from harness.commands.replay import main as replay
from harness.commands.verify import main as verify
from harness.errors import UsageError
from harness.replay.evidence import check_evidence
from harness.replay.recorded import Recorded

KEPT = Path(__file__).resolve().parents[3] / "docs" / "driven" / "violation.json"


def test_a_report_whose_submission_is_not_here_is_not_replayed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit 4, and the folder is named."""
    assert replay([str(KEPT)]) == 4
    assert "MISSING  the submission's folder: /home/ada" in capsys.readouterr().out


def test_another_code_than_the_report_names_is_not_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the hash of its files, whatever its name."""
    folder = tmp_path / "record"
    folder.mkdir()
    (folder / "train_gpt.py").write_text("print('another')\n")
    report = json.loads(KEPT.read_text())
    report["replay"] = f"scorefirst evaluate {folder}"
    report["submission"]["code_sha256"] = "0" * 64
    (tmp_path / "report.json").write_text(json.dumps(report))

    assert replay([str(tmp_path)]) == 4
    assert "MISSING  the submission's code: 0000000000000000 then" in capsys.readouterr().out


def test_a_counterexample_is_named_by_its_rule_and_number() -> None:
    """Without a name all that a run proved, and nothing that reading alone found."""
    recorded = Recorded.read(KEPT)
    failed = {r for r, s in recorded.report["rules"].items() if s["status"] == "fail"}
    levels = {r: recorded.report["rules"][r]["level"] for r in failed}

    assert {c.rule for c in recorded.counterexamples()} == {
        r for r in failed if levels[r] != "read"
    }
    (one,) = recorded.counterexamples("CAUSAL-1")
    assert (one.name, one.numbers["position"]) == ("CAUSAL-1.0", 458)
    for wanted in ("BYTES-1", "CAUSAL-1.7", "NORM-1"):
        with pytest.raises(UsageError, match=wanted):
            recorded.counterexamples(wanted)


def test_evidence_that_is_not_there_is_said_and_what_is_no_report_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Exit 1 and 2; a path out of the folder is followed by nobody."""
    report = json.loads(KEPT.read_text()) | {"evidence": ["../secret"]}
    (tmp_path / "secret").write_text("x")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "report.json").write_text(json.dumps(report))

    assert verify([str(tmp_path / "in")]) == 1
    assert "../secret: not there" in capsys.readouterr().out
    (tmp_path / "in" / "report.json").write_text("{}")
    assert verify([str(tmp_path / "in")]) == 2
    assert replay([str(tmp_path / "nothing")]) == 2


def test_a_quoted_number_stands_in_a_table_of_the_log_and_another_does_not(tmp_path: Path) -> None:
    """What names a number may stand above its line; a number that was not printed is found out."""
    log = tmp_path / "runs" / "base" / "output.log"
    log.parent.mkdir(parents=True)
    log.write_text("| val_loss | val_bpb |\n|---|---|\n| 6.4857 | 3.4848 |\n")
    (printed,) = printed_numbers(log.read_text())
    assert printed.tag not in printed.text
    kept = json.loads(KEPT.read_text())
    for bits, holds in ((printed.bits_per_byte, True), (1.25, False)):
        said = {"line": printed.line, "tag": printed.tag, "bits_per_byte": bits}
        driven = kept["driven"] | {"numbers": [said]}
        recorded = Recorded(tmp_path / "report.json", kept | {"driven": driven, "evidence": []})
        assert [one.holds for one in check_evidence(recorded)] == [True, holds]
