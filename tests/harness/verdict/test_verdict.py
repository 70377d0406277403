"""From statuses to verdicts, and from folders to clear errors."""

import json
import shutil
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checks.status import Level, Status
from harness.configure.record_script import read_record
from harness.errors import SubmissionError
from harness.report.markdown import render_markdown
from harness.report.model import SCHEMA_PATH
from harness.submission import overlooked, read_submission
from harness.verdict.decide import REQUIRED_RULES, Verdict, decide, severity
from harness.verdict.table import RuleStatus

RULES = (*REQUIRED_RULES, "SOURCE-1", "ORDER-7", "BUDGET-1")
statuses = st.sampled_from(Status)


def rules_of(by_rule: dict[str, Status]) -> dict[str, RuleStatus]:
    return {r: RuleStatus(r, s, Level.REFEREE) for r, s in by_rule.items()}


@given(st.dictionaries(st.sampled_from(RULES), statuses), st.booleans(), st.booleans())
def test_clean_means_the_law_passed_nothing_failed_and_nothing_is_open(
    by_rule: dict[str, Status], ran: bool, isolated: bool
) -> None:
    """CLEAN exactly when it ran in whole isolation, all six rules pass, and no status is fail or
    unknown.
    """
    verdict = decide(rules_of(by_rule), "strict", ran, isolated)

    lawful = all(by_rule.get(rule) is Status.PASS for rule in REQUIRED_RULES)
    open_or_failed = {Status.FAIL, Status.UNKNOWN} & set(by_rule.values())
    assert (verdict is Verdict.CLEAN) == (ran and isolated and lawful and not open_or_failed)


@given(st.dictionaries(st.sampled_from(RULES), statuses), st.booleans(), st.booleans())
def test_a_violation_needs_a_failed_rule_whether_or_not_the_run_ended(
    by_rule: dict[str, Status], ran: bool, isolated: bool
) -> None:
    """What was proved before a crash stays proved; without proof a crash is UNRUNNABLE, no more."""
    verdict = decide(rules_of(by_rule), "strict", ran, isolated)

    failed = [r for r, s in by_rule.items() if s is Status.FAIL and severity(r, "strict") == "fail"]
    assert (verdict is Verdict.VIOLATION) == bool(failed)
    if not ran and not failed:
        assert verdict is Verdict.UNRUNNABLE


def test_the_leaderboard_profile_lets_pass_what_organisers_let_pass() -> None:
    """ORDER-7 is ours: a violation in `strict`, a matter for review on the leaderboard."""
    rules = rules_of(dict.fromkeys(REQUIRED_RULES, Status.PASS) | {"ORDER-7": Status.FAIL})

    assert decide(rules, "strict", ran=True) is Verdict.VIOLATION
    assert decide(rules, "leaderboard", ran=True) is Verdict.REVIEW


GOOD = {"protocol": 1, "artifact": "weights.bin", "engine": {"name": "sliding_window"}}


@pytest.mark.parametrize(
    ("harness", "cause"),
    [
        ("a string", "not an object"),
        (GOOD | {"protocol": 2}, "speaks 1"),
        ({"protocol": 1}, "name exactly one"),
        (GOOD | {"program": "x.py"}, "name exactly one"),
        (GOOD | {"engine": "sliding_window"}, 'write {"name"'),
        ({"protocol": 1, "predictor": "x.py"}, 'write "file.py:factory"'),
        ({"protocol": 1, "program": "gone.py"}, "not there"),
        (GOOD | {"settings": {"seq_len": 0}}, "positive whole number"),
        (GOOD | {"settings": {"seq_len": True}}, "positive whole number"),
        (GOOD | {"settings": {"seq_len": 8, "stride": 9}}, "exceeds seq_len"),
        (GOOD | {"settings": [1, 2]}, "`settings` is list, not an object"),
        (GOOD | {"settings": {"a b=c": 1}}, "letters, digits and _ alone"),
        (GOOD | {"settings": {"buckets": 10**400}}, "64 bits"),
        ({"protocol": 1, "program": "../x.py"}, "outside the folder"),
        (GOOD | {"settings": {"a": json.loads("[" * 900 + "]" * 900)}}, "more than 32 deep"),
    ],
)
def test_a_manifest_that_is_off_is_refused_by_file_and_cause(
    harness: object, cause: str, tmp_path: Path
) -> None:
    """The error names submission.json and says what to write instead."""
    (tmp_path / "submission.json").write_text(json.dumps({"name": "x", "harness": harness}))

    with pytest.raises(SubmissionError, match=r"submission\.json") as caught:
        read_submission(tmp_path)
    assert cause in str(caught.value) and "docs/submit.md" in caught.value.cure


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ('{"harnes": {}}', "'harnes', which nothing reads: was `harness` meant?"),
        ('{"harness": {}', "declares nothing: no JSON"),
        ('{"name": ["x"], "hardware": "8xH100"}', ""),
        ('{"harness": {}, "harnessed": 1}', ""),
    ],
)
def test_a_slip_in_a_manifest_is_named_where_its_folder_did_not_run(
    manifest: str, said: str, tmp_path: Path
) -> None:
    """A folder that declares nothing is a record; what may have been meant stands in the cause."""
    (tmp_path / "submission.json").write_text(manifest)
    found = overlooked(tmp_path)
    assert said in found if said else found == ""


@pytest.mark.parametrize(
    "manifest", [None, b"{", b"[1]", b'{"name": "\xff"}', b"9" * 5000, "folder"]
)
def test_a_broken_or_absent_manifest_is_that_of_a_record(
    manifest: bytes | str | None, tmp_path: Path
) -> None:
    """Papers that cannot be read are no reason not to drive the script."""
    (tmp_path / "train_gpt.py").write_text("print('val_loss:1.0 val_bpb:1.0')\n")
    for name in ("submission.json", "README.md", "train.log"):
        if manifest == "folder":
            (tmp_path / name).mkdir()
        elif isinstance(manifest, bytes):
            (tmp_path / name).write_bytes(manifest)

    assert read_submission(tmp_path).kind == "upstream"
    assert read_record(tmp_path).name == "train_gpt.py"


def test_only_what_is_counted_reaches_the_worker_and_all_of_it_is_counted(native, evaluate) -> None:
    """A data file beside the code is neither counted nor there to be read."""
    folder = native("program", "open('table.npy', 'rb')")
    (folder / "table.npy").write_bytes(bytes(1_000_000))
    (folder / "more").mkdir()
    shutil.copy(folder / "toy.py", folder / "more" / "other.py")

    result = evaluate(folder, "--no-static")

    code = sum((folder / f).stat().st_size for f in ("toy.py", "more/other.py", "submission.json"))
    assert result.report["submission"]["code_bytes"] == code
    assert result.report["verdict"] == "UNRUNNABLE" and result.code == 4
    assert "table.npy" in result.report["failure"]


def test_an_artifact_over_the_limit_is_a_violation_of_size_alone(native, evaluate) -> None:
    """16,000,000 bytes, decimal, code and artifact together."""
    folder = native("program", "raise SystemExit(1)")
    (folder / "weights.bin").write_bytes(bytes(16_000_000))

    result = evaluate(folder, "--no-static")

    assert result.status("BUDGET-1") == "fail"
    assert (result.report["verdict"], result.code) == ("VIOLATION", 1)


def test_an_upstream_folder_is_read_and_never_called_non_compliant_for_not_running(
    tmp_path: Path, evaluate
) -> None:
    """A folder that reading does not convict is UNRUNNABLE here, with a whole report."""
    folder = tmp_path / "record"
    folder.mkdir()
    (folder / "train_gpt.py").write_text("print('hello')\n")

    result = evaluate(folder)

    assert (result.report["verdict"], result.code) == ("UNRUNNABLE", 4)
    jsonschema.validate(result.report, json.loads(SCHEMA_PATH.read_text()))
    text = render_markdown(result.report)
    assert "says nothing about compliance" in text and "`scorefirst evaluate " in text


def test_wrong_use_is_exit_2_and_names_what_was_wrong(tmp_path: Path, native, evaluate) -> None:
    """A data folder that is not there is our caller's mistake, not the submission's."""
    result = evaluate(native("predictor", "build = None"), data=tmp_path / "nowhere")

    assert result.code == 2
    assert "nowhere" in result.screen


def test_a_bug_of_ours_is_exit_2_and_never_reads_as_a_violation(
    tmp_path: Path, evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's own exit code for a crash is 1, which would mean VIOLATION."""
    monkeypatch.setattr("harness.library.Evaluation", None)
    (tmp_path / "folder").mkdir()

    result = evaluate(tmp_path / "folder")

    assert result.code == 2
    assert "nothing was judged" in result.screen
