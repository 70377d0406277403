"""`scorefirst guard`: one line and one object about a working tree, changed lines first."""

import json
import subprocess
from pathlib import Path

import pytest
import row_contest

from harness.changed_lines import changed_lines
from harness.commands.guard import main
from harness.errors import UsageError


def git(folder: Path, *words: str) -> None:
    """In a repository of its own, whatever this machine's settings are."""
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A committed folder of a contest."""
    made = tmp_path / "loop"
    row_contest.write(made)
    git(made, "init", "-q")
    git(made, "add", "-A")
    git(made, "commit", "-qm", "first")
    return made


def test_changed_lines_are_those_of_the_working_tree(folder: Path) -> None:
    """Of tracked files by git's diff, of new ones every line; what was taken away has none."""
    train = folder / "train.py"
    lines = train.read_text(encoding="utf-8").split("\n")
    lines[3] = "import math"
    del lines[6]
    train.write_text("\n".join(lines), encoding="utf-8")
    (folder / "extra.py").write_text("a = 1\nb = 2", encoding="utf-8")
    found = changed_lines(folder, "HEAD")

    assert found.lines == {"train.py": {4}, "extra.py": {1, 2}}
    assert found.holds("train.py:4") and not found.holds("train.py:5")
    assert found.said == "3 lines of 2 files since HEAD"


def test_no_repository_and_no_revision_are_wrong_use(folder: Path, tmp_path: Path) -> None:
    """With what git said; a word that looks like an option is never given to it."""
    for place, base in ((folder, "nothing"), (folder, "--output=x"), (tmp_path, "HEAD")):
        with pytest.raises(UsageError, match=r"base|repository"):
            changed_lines(place, base)


def test_a_commit_whose_rows_know_their_future_is_not_kept(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mean over chunks of sixteen, in a contest that is a file of its user: proved, through the
    scoring call. The exit code is that of an evaluation, and the folder is not touched.
    """
    train = folder / "train.py"
    text = row_contest.TRAIN.replace(row_contest.PAST, row_contest.CHUNKS)
    train.write_text(text, encoding="utf-8")
    contest = str(folder.with_suffix(".toml"))
    code = main([str(folder), "--contest", contest, "--seed", "1337", "--budget", "200"])
    line, told = capsys.readouterr().out.splitlines()
    found = json.loads(told)

    assert code == found["exit_code"] == 1
    assert line.startswith("VIOLATION  1 line of 1 file since HEAD")
    assert "replacing later tokens changed" in line
    assert {one["rule"] for one in found["findings"] if one["status"] == "fail"} == {"CAUSAL-1"}
    assert found["changed"] == {
        "train.py": [1 + text.splitlines().index(f"        {row_contest.CHUNKS}")]
    }
    assert sorted(path.name for path in folder.iterdir()) == [".git", "judge.py", "train.py"]
