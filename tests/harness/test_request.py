"""What is asked of an evaluation: what is refused, and the command that repeats it."""

import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.commands.command_line import parser, request_of
from harness.commands.evaluate import main
from harness.errors import UsageError
from harness.own_seed import SEEDS, handed_on
from harness.report.checkout import commit_of
from harness.request import OPTIONS, Request, replay_command
from harness.submission import Kind
from reference_model.data.cache import VARIABLE


def asked(*words: str) -> Request:
    """The request that a command line makes."""
    return request_of(parser().parse_args(words))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A lone script that exists."""
    path = tmp_path / "train_gpt.py"
    path.write_text("print('val_loss:1.0 val_bpb:1.0')\n")
    return path


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs the command, which must exit 2 and say why without a traceback: what it said."""

    def run(*words: str | Path) -> str:
        try:
            code = main([str(word) for word in words])
        except SystemExit as stopped:  # argparse
            code = stopped.code
        said = capsys.readouterr()
        assert (code, said.out) == (2, ""), said
        assert "Traceback" not in said.err
        return said.err

    return run


def test_a_replay_says_the_same_to_a_shell_in_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spaces and quotes stay in their words; relative paths become absolute ones."""
    monkeypatch.chdir(tmp_path)
    given = ["it's a folder/train gpt.py", "--seed", "7", "--quick", "--tokenizer", "a b.model"]
    given += ["--tokenizer", "/c.model", "--out", "my report"]
    words = shlex.split(replay_command(asked(*given)))
    assert words[:2] == ["scorefirst", "evaluate"]
    monkeypatch.chdir("/")
    again = asked(*words[2:])
    assert again.submission == tmp_path / "it's a folder" / "train gpt.py"
    assert again.tokenizers == (tmp_path / "a b.model", Path("/c.model"))
    assert (again.seed, again.quick, again.out) == (7, True, tmp_path / "my report")


def test_a_replay_names_only_what_differs() -> None:
    """Options at their defaults are left out, whether they were given or not."""
    assert replay_command(asked("/a")) == "scorefirst evaluate /a"
    assert replay_command(asked("/a", "--profile", "strict")) == "scorefirst evaluate /a"


GIVEN: dict[str, tuple[str, Any]] = {
    "--data": ("data", Path("d")),
    "--time-limit": ("time_limit_s", 60.0),
    "--quick": ("quick", True),
    "--all": ("all", True),
    "--jobs": ("jobs", 1),  # also the default is refused: it was given
    "--budget": ("budget_s", 9.0),
    "--ranks": ("ranks", 2),
    "--tokenizer": ("tokenizers", (Path("t.model"),)),
    "--entry": ("entry", "train_gpt.py"),
}
USED = {
    Kind.RECORD: {"--quick", "--all", "--jobs", "--budget", "--ranks", "--tokenizer", "--entry"},
    Kind.PROGRAM: {"--data", "--time-limit", "--quick", "--all", "--jobs", "--budget"},
    Kind.PREDICTOR: {"--data", "--time-limit"},
    Kind.ENGINE: {"--data", "--time-limit"},
}


@pytest.mark.parametrize("kind", USED)
@pytest.mark.parametrize("flag", GIVEN)
def test_an_option_that_the_kind_does_not_use_is_refused(flag: str, kind: Kind) -> None:
    """Naming the option, the kind and the cure; never ignored."""
    name, value = GIVEN[flag]
    request = Request(Path("folder"), **{name: value})
    if flag in USED[kind]:
        request.refuse_unused(kind)
        return
    with pytest.raises(UsageError) as refused:
        request.refuse_unused(kind)
    said = str(refused.value)
    assert (
        said.startswith(f"{flag} is an option of ") and f"of the kind {kind.name.lower()}" in said
    )
    assert "leave it out" in said and all(used in said for used in USED[kind])


def test_what_was_not_given_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is not refused anywhere."""
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    request = Request(Path("folder"))
    for kind in USED:
        request.refuse_unused(kind)
    found = request.settled()
    assert (found.jobs, found.ranks, found.budget_s, found.time_limit_s) == (2, 1, 600.0, 3600.0)
    assert (found.data, found.quick, found.all, found.tokenizers) == (None, False, False, ())
    assert (found.device, found.profile) == ("cpu", "strict")
    for alone in (Request(Path("folder"), ranks=2), Request(Path("folder"), device="cuda")):
        assert alone.settled().jobs == 1


def test_a_seed_that_nobody_gave_is_known_to_nobody(tmp_path: Path, monkeypatch) -> None:
    """The same again for the same files; another for others, and for another user. Only regular
    files are read.
    """
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "train_gpt.py").write_text("x = 1")
    os.mkfifo(folder / "pipe")
    first = Request(folder).settled().seed
    assert first == Request(folder).settled().seed and 0 <= first < SEEDS
    assert handed_on(first) != first
    (folder / "train_gpt.py").write_text("x = 2")
    changed = Request(folder).settled().seed
    monkeypatch.setenv(VARIABLE, str(tmp_path / "another"))
    assert len({first, changed, Request(folder).settled().seed}) == 3
    assert Request(folder, seed=7).settled().seed == 7


def test_every_option_of_the_command_is_one_of_a_request() -> None:
    """The table names each attribute once, and the command sets them all."""
    names = {option.name for option in OPTIONS} | {"submission"}
    assert names == set(Request.__dataclass_fields__) and len(names) == len(OPTIONS) + 1


def test_a_refusal_is_a_wrong_call(tmp_path: Path, script: Path, refused) -> None:
    """Exit code 2, and nothing was judged or written."""
    out = tmp_path / "out"
    said = refused(script, "--out", out, "--data", tmp_path)
    assert "--data is an option of engines and predictors and programs" in said
    assert not out.exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--jobs", "0"), ("--jobs", "two"), ("--ranks", "-1"), ("--ranks", "0"),
        ("--time-limit", "-1"), ("--budget", "nan"), ("--budget", "0"), ("--budget", "inf"),
        ("--seed", "-1"), ("--seed", "4294967296"), ("--seed", "1.5"),
        ("--profile", "lenient"), ("--tokenizer", "nowhere.model"), ("--entry", "other.py"),
    ],
)  # fmt: skip
def test_a_value_that_no_run_can_have_is_refused(
    option: str, value: str, script: Path, refused
) -> None:
    """With the option and the value; no run waits for nothing, and no file is ignored."""
    said = refused(script, f"{option}={value}")
    assert option in said and value in said


def test_a_tokenizer_that_is_none_is_refused(tmp_path: Path, script: Path, refused) -> None:
    """Such a file would be ignored, and another vocabulary be judged."""
    wrong = tmp_path / "wrong.model"
    wrong.write_bytes(b"no tokenizer")
    assert "wrong.model" in refused(script, "--tokenizer", wrong)


def test_data_that_are_none_are_refused(tmp_path: Path, refused) -> None:
    """A folder without shards and tokenizer, and one that is not there."""
    manifest = {"protocol": 1, "artifact": "w.bin", "predictor": "toy.py:build"}
    (tmp_path / "toy.py").touch()
    (tmp_path / "submission.json").write_text(json.dumps({"harness": manifest}))
    assert "no such data folder" in refused(tmp_path, "--data", tmp_path / "nowhere")
    assert "no SentencePiece tokenizer" in refused(tmp_path, "--data", tmp_path)


@pytest.mark.parametrize("together", [["--quick", "--all"], ["--quick", "--jobs", "2"]])
def test_a_combination_without_meaning_is_refused(
    together: list[str], script: Path, refused
) -> None:
    """Both options are named."""
    said = refused(script, *together)
    assert all(word in said for word in together if word.startswith("--"))


@pytest.mark.parametrize("name", ["nowhere", "notes.txt"])
def test_what_is_no_submission_is_refused(name: str, tmp_path: Path, refused) -> None:
    """A path that does not exist says nothing about a submission; nor does a text file."""
    (tmp_path / "notes.txt").write_text("no script")
    said = refused(tmp_path / name)
    assert name in said and "script" in said


def test_a_report_folder_that_is_a_file_is_refused(script: Path, refused) -> None:
    """It is not overwritten."""
    assert "--out" in refused(script, "--out", script)
    assert script.read_text().startswith("print")


def test_an_entry_is_a_file_of_the_folder(script: Path, refused) -> None:
    """Naming the lone script itself is allowed; a file that a folder does not have is not."""
    assert "has no such file" in refused(script.parent, "--entry", "other.py")
    Request(script, entry=script.name).check()
    Request(script.parent, entry=script.name).check()


def test_a_key_of_the_manifest_that_nothing_reads_is_refused(tmp_path: Path, refused) -> None:
    """Of its `harness` object; around it a manifest says what its author likes."""
    harness = {"protocol": 1, "artifact": "w.bin", "predictor": "toy.py:build", "settings": {}}
    (tmp_path / "toy.py").touch()
    manifest = tmp_path / "submission.json"
    manifest.write_text(json.dumps({"name": "toy", "expect": 1, "harness": harness}))
    assert Request(tmp_path).check() is Kind.PREDICTOR
    manifest.write_text(json.dumps({"harness": harness | {"setings": {"lr": 1}}}))
    said = refused(tmp_path)
    assert "'setings'" in said and "settings" in said and str(manifest) in said


def test_a_replay_of_any_name_is_one_visible_line(tmp_path: Path) -> None:
    """What a terminal or Markdown would not show as it is, a shell reads from its bytes; a value
    like an option stays a value.
    """
    name = "a\n\n<img src=x>\x1b[2J 'b' \\ \udcff1 ü"
    command = replay_command(Request(tmp_path / name, entry="-train.py"))
    assert command.isprintable()
    shell = ["bash", "-c", f'scorefirst() {{ printf "%s\\0" "$@"; }}; {command}']
    words = subprocess.run(shell, capture_output=True, check=True).stdout.split(b"\0")
    assert os.fsdecode(words[1]) == str(tmp_path / name)
    assert asked(*map(os.fsdecode, words[1:-1])).entry == "-train.py"


@pytest.mark.parametrize("words", [("",), (".", "--out", ""), (".", "--data", "")])
def test_an_empty_path_is_not_the_working_directory(words, refused) -> None:
    """A shell variable that nobody set names nothing."""
    assert "an empty path names nothing" in refused(*words)


def test_a_commit_is_read_from_plain_files_alone(tmp_path: Path) -> None:
    """A pipe, which nobody may ever write to, is no checkout."""
    os.mkfifo(tmp_path / ".git")
    assert commit_of(tmp_path) is None
    (tmp_path / "a" / ".git").mkdir(parents=True)
    (tmp_path / "a" / ".git" / "HEAD").write_text("1" * 40)
    assert commit_of(tmp_path / "a") == "1" * 40
