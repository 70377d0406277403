"""The command line: what repeats an evaluation."""

import shlex
from pathlib import Path

import pytest

from harness.command import PARSER, replay_command


def test_a_replay_says_the_same_to_a_shell_in_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spaces and quotes stay in their words; relative paths become absolute ones."""
    monkeypatch.chdir(tmp_path)
    given = ["it's a folder/train gpt.py", "--seed", "7", "--quick", "--tokenizer", "a b.model"]
    given += ["--tokenizer", "/c.model", "--out", "my report"]
    words = shlex.split(replay_command(PARSER.parse_args(given)))
    assert words[:3] == ["python", "-m", "harness.evaluate"]
    monkeypatch.chdir("/")
    again = PARSER.parse_args(words[3:])
    assert again.submission == tmp_path / "it's a folder" / "train gpt.py"
    assert again.tokenizer == [tmp_path / "a b.model", Path("/c.model")]
    assert (again.seed, again.quick, again.out) == (7, True, tmp_path / "my report")


def test_a_replay_names_only_what_was_given() -> None:
    """Options that were left at their defaults are left out."""
    assert replay_command(PARSER.parse_args(["/a"])) == "python -m harness.evaluate /a"
