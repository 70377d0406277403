"""The command line: what repeats an evaluation."""

import shlex
from pathlib import Path

import pytest

from harness.command import PARSER, refuse_unused, replay_command, settled
from harness.errors import HarnessError
from harness.evaluate import main
from harness.submission import Kind


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


GIVEN = {
    "--data": "d",
    "--time-limit": "60",
    "--quick": "",
    "--all": "",
    "--jobs": "1",  # also the default is refused: it was given
    "--budget": "9",
    "--ranks": "2",
    "--tokenizer": "t.model",
}
USED = {
    Kind.RECORD: {"--quick", "--all", "--jobs", "--budget", "--ranks", "--tokenizer"},
    Kind.PROGRAM: {"--data", "--time-limit", "--quick", "--all", "--jobs", "--budget"},
    Kind.PREDICTOR: {"--data", "--time-limit"},
    Kind.ENGINE: {"--data", "--time-limit"},
}


@pytest.mark.parametrize("kind", USED)
@pytest.mark.parametrize("flag", GIVEN)
def test_an_option_that_the_kind_does_not_use_is_refused(flag: str, kind: Kind) -> None:
    """Naming the option, the kind and the cure; never ignored."""
    arguments = PARSER.parse_args(["folder", flag, *filter(None, [GIVEN[flag]])])
    if flag in USED[kind]:
        refuse_unused(arguments, kind)
        return
    with pytest.raises(HarnessError) as refused:
        refuse_unused(arguments, kind)
    said = str(refused.value)
    assert (
        said.startswith(f"{flag} is an option of ") and f"of the kind {kind.name.lower()}" in said
    )
    assert "leave it out" in said and all(used in said for used in USED[kind])


def test_what_was_not_given_has_its_default() -> None:
    """And is not refused anywhere."""
    arguments = PARSER.parse_args(["folder"])
    for kind in USED:
        refuse_unused(arguments, kind)
    found = settled(arguments)
    assert (found.jobs, found.ranks, found.budget, found.time_limit) == (1, 1, 600.0, 3600.0)
    assert (found.data, found.quick, found.all, found.tokenizer) == (None, False, False, ())


def test_a_refusal_is_a_wrong_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and nothing was judged or written."""
    script, out = tmp_path / "train_gpt.py", tmp_path / "out"
    script.write_text("print('val_loss:1.0 val_bpb:1.0')\n")
    assert main([str(script), "--out", str(out), "--data", str(tmp_path)]) == 2
    assert "--data is an option of engines and predictors and programs" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    "given", [["--jobs", "0"], ["--ranks", "-1"], ["--time-limit", "-1"], ["--budget", "nan"]]
)
def test_a_number_that_no_run_can_have_is_refused(
    given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, with the option and the number; no run waits for nothing."""
    with pytest.raises(SystemExit) as stopped:
        PARSER.parse_args(["folder", *given])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert given[0] in said and repr(given[1]) in said
