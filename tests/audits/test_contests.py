"""A contest is a file: what is shipped is valid, and a broken file says what is wrong with it."""

import hashlib
import json
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from audits.catalogue import RULES
from audits.contests import (
    ContestError,
    Family,
    chosen_contest,
    frozen_files,
    load_contest,
    shipped_names,
)
from audits.contests.reading import read_contest, schema
from audits.scan import main

GOOD = """
[contest]
name = "mine"
title = "Mine"
family = "function"
[files]
entry = "train.py"
editable = ["train.py"]
layout = ["train.py", "judge.py"]
[[files.frozen]]
path = "judge.py"
[score]
unit = "bits per byte"
function = "judge:score"
printed = 'bpb (\\S+)'
[rows]
rows = 4
batch = 2
length = 16
steps = 1
[data]
kind = "parquet-text"
folder = "~/data"
train = ["a.parquet"]
validation = "b.parquet"
[tokenizer]
kind = "tiktoken-pickle"
specials = ["<|bos|>"]
[[sizes]]
where = "constant"
file = "train.py"
name = "TOKENS"
role = "scoring"
value = "rows * length"
"""

BROKEN = {
    "no TOML": ("[contest]", "[contest", "", "no TOML"),
    "a key that nothing reads": (
        'title = "Mine"',
        'titel = "Mine"',
        "contest.titel",
        "nothing reads",
    ),
    "a missing key": ('unit = "bits per byte"\n', "", "score.unit", "missing"),
    "another type": ("rows = 4", 'rows = "4"', "rows.rows", '"4"'),
    "an unknown family": ('"function"\n[files]', '"table"\n[files]', "contest.family", '"table"'),
    "no digest": (
        'path = "judge.py"',
        'path = "judge.py"\nsha256 = ["12"]',
        "files.frozen[1].sha256[1]",
        '"12"',
    ),
    "no expression": ("'bpb (\\S+)'", "'bpb ('", "score.printed", "no regular expression"),
    "no group": ("'bpb (\\S+)'", "'bpb'", "score.printed", "no group"),
    "an unknown size": ('"rows * length"', '"rows * width"', "sizes[1].value", "'width'"),
    "a file both frozen and editable": (
        '["train.py"]\nlayout',
        '["judge.py"]\nlayout',
        "files.editable",
        "frozen",
    ),
    "a way out of the folder": ('path = "judge.py"', 'path = "../judge.py"', "files", "leads out"),
    "a batch left over": ("rows = 4", "rows = 5", "rows.rows", "no multiple"),
    "half of a run": (
        '[tokenizer]\nkind = "tiktoken-pickle"\nspecials = ["<|bos|>"]\n',
        "",
        "tokenizer",
        "missing",
    ),
    "no function": ('function = "judge:score"\n', "", "score.function", "missing"),
}


def written(folder: Path, text: str) -> Path:
    """A file of a user's own."""
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_contest_is_valid(name: str) -> None:
    """The published schema takes it, and it names only rules that there are."""
    text = files("audits.contests").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    Draft202012Validator(schema()).validate(tomllib.loads(text))
    contest = load_contest(name)

    assert contest.name == name
    assert {*contest.rules, *contest.exempt} <= set(RULES)


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_names_file_key_cause_and_cure(what: str, tmp_path: Path) -> None:
    """Whatever is wrong, one sentence says where, what and what to do."""
    old, new, key, cause = BROKEN[what]
    assert GOOD.count(old) >= 1
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(ContestError) as caught:
        read_contest(path)

    error = caught.value
    assert (error.key, error.file) == (key, str(path))
    assert cause in error.cause and error.cure
    assert str(path) in str(error) and error.cure in str(error)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    """No file, no text and no name are errors of the same form."""
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "none.toml", tmp_path / "bytes.toml"):
        with pytest.raises(ContestError, match=str(path)):
            read_contest(path)
    with pytest.raises(ContestError, match=r"autoresearch, .*parameter_golf"):
        load_contest("golf")


def test_a_good_file_of_a_users_own_needs_no_code(tmp_path: Path) -> None:
    """The same text unbroken is a contest that a run can be made of."""
    contest = read_contest(written(tmp_path, GOOD))

    assert contest.family is Family.FUNCTION and contest.adapted


def test_a_folder_is_recognised_by_its_frozen_file_or_its_layout(tmp_path: Path) -> None:
    """The evaluator decides; a changed one beside the usual files is the contest with another
    evaluator; anything else is Parameter Golf, as ever.
    """
    assert chosen_contest(tmp_path).contest.name == "parameter_golf"
    for name in ("train.py", "prepare.py", "program.md"):
        (tmp_path / name).write_text("", encoding="utf-8")
    found = chosen_contest(tmp_path)
    frozen = frozen_files(found.contest, tmp_path)[0]

    assert found.contest.name == "autoresearch" and "program.md" in found.why
    assert not frozen.is_own and frozen.sha256 == hashlib.sha256(b"").hexdigest()
    assert chosen_contest(tmp_path, "parameter_golf").said == ""


def test_a_name_that_others_use_too_needs_its_mark(tmp_path: Path) -> None:
    """A script of that name elsewhere is Parameter Golf, as ever."""
    script = tmp_path / "train_gpt_simple.py"
    script.write_text("print(1)", encoding="utf-8")
    assert chosen_contest(tmp_path).contest.name == "parameter_golf"
    script.write_text("val_tokens = 20 * 524288\n", encoding="utf-8")

    assert chosen_contest(tmp_path).contest.name == "modded_nanogpt_track3"


def test_a_scan_says_which_contest_it_read_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By name or by file; another evaluator is a warning, never a failure; a rule that the contest
    does not have is information.
    """
    (tmp_path / "train.py").write_text("from prepare import x\nprint(x)\n", encoding="utf-8")
    (tmp_path / "prepare.py").write_text("x = 1\n", encoding="utf-8")
    (tmp_path / "program.md").write_text("", encoding="utf-8")
    main([str(tmp_path)])
    text = capsys.readouterr().out
    main([str(tmp_path), "--format", "json"])
    report = json.loads(capsys.readouterr().out)
    found = {one["rule"]: one["status"] for file in report["files"] for one in file["findings"]}

    first, second, *_ = text.splitlines()  # what could not be judged comes before all else
    assert first.startswith("Nothing was judged: no score was recognised in ")
    assert second.startswith("contest autoresearch: ")
    assert found == {"PASS-4": "warn", "BUDGET-2": "info"}
    assert main([str(tmp_path), "--contest", "golf"]) == 2
    assert "no such contest" in capsys.readouterr().err
