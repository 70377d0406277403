"""What reading brought up, said before anything is run."""

from pathlib import Path

from audits.judge import scan_path
from harness.checks.static import check_static, first_lines

ROOT = Path(__file__).resolve().parents[3]


def said(path: Path, profile: str = "strict") -> list[str]:
    report = scan_path(path)
    return list(first_lines(report, check_static(report), profile))


def test_a_line_for_each_rule_says_where_and_what() -> None:
    """Rule, file:line and a sentence."""
    lines = said(ROOT / "submissions" / "exploits" / "pre_eval_ttt")
    assert any(line.startswith("read: FAIL ORDER-2 evaluate.py:40 ") for line in lines)


def test_what_was_not_judged_is_no_pass(tmp_path: Path) -> None:
    """Nothing found is said of a script in which a score was recognised, and of no other."""
    (tmp_path / "train.py").write_text("print(1)\n")
    (line,) = said(tmp_path / "train.py")
    assert "no score was recognised" in line and "nothing found" not in line
    assert said(ROOT / "submissions" / "template" / "program") == [
        "read: nothing found in the code"
    ]
