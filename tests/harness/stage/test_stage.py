"""The stage: the folder as it was, and data where the script looks for it."""

import base64
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from audits.switches import Switches, read_switches
from harness.configure.record_script import RecordScript
from harness.configure.run_spec import RunSpec
from harness.configure.shrinking.target import StreamShape
from harness.errors import SubmissionError
from harness.stage.data_layout import StageData
from harness.stage.stage import Stage, build_stage
from harness.streams.vocabulary import Vocabulary
from reference_model.data.shards import read_shard

BYTES = Vocabulary(260, "plain bytes", None)
TOKENS = np.concatenate([[1], np.arange(4, 200)])


def _stage(folder: Path, into: Path) -> Stage:
    switches = read_switches(folder, "train_gpt.py")
    return build_stage(_spec(switches), StageData(TOKENS, (TOKENS, TOKENS)), into)


def _spec(switches: Switches) -> RunSpec:
    script = RecordScript(switches)
    found = script.first(StreamShape(TOKENS.size, 260, 1), native=False)
    return script.spec(found, BYTES)


def _folder(tmp_path: Path, script: str) -> Path:
    folder = tmp_path / "record"
    folder.mkdir()
    (folder / "train_gpt.py").write_text(script)
    (folder / "README.md").write_text("A record.")
    return folder


def test_the_script_is_the_submissions_own(tmp_path: Path) -> None:
    """Byte for byte, with its siblings; logs and links stay behind."""
    folder = _folder(tmp_path, "import helper\n")
    (folder / "helper.py").write_text("X = 1\n")
    (folder / "train.log").write_text("val_loss:1.0 val_bpb:1.0")
    (folder / "hosts").symlink_to("/etc/hosts")
    stage = _stage(folder, tmp_path / "stage")
    assert (stage.root / stage.spec.entry).read_bytes() == (folder / "train_gpt.py").read_bytes()
    assert (stage.root / "helper.py").exists()
    assert not (stage.root / "train.log").exists()
    assert not (stage.root / "hosts").exists()
    assert stage.changes == ("hosts: a link, left behind",)


def test_what_is_no_plain_file_stays_behind_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe is waited for by nobody, a sparse file fills no disk; too many are refused."""
    folder = _folder(tmp_path, "import helper\n")
    os.mkfifo(folder / "helper.py")
    with (folder / "sparse.bin").open("wb") as file:
        file.truncate(10 << 30)
    stage = _stage(folder, tmp_path / "stage")
    assert stage.changes == (
        "helper.py: no regular file, left behind",
        "sparse.bin: more than 100 MB, left behind",
    )
    assert not (stage.root / "helper.py").exists() and not (stage.root / "sparse.bin").exists()
    for number in range(30):
        (folder / f"link{number:02}").symlink_to("/dev/zero")
    assert len(_stage(folder, tmp_path / "links").changes) == 11
    monkeypatch.setattr("harness.stage.stage.MAX_FILES", 1)
    with pytest.raises(SubmissionError, match="more than 1 files"):
        _stage(folder, tmp_path / "many")


def test_a_helper_that_no_parser_survives_is_copied_as_it_is(tmp_path: Path) -> None:
    """It is looked at for newer grammar, and that ends nothing."""
    folder = _folder(tmp_path, "try:\n    import helper\nexcept Exception:\n    pass\n")
    (folder / "helper.py").write_text("x = " + "(" * 5_000 + ")" * 5_000)
    stage = _stage(folder, tmp_path / "stage")
    assert stage.changes == () and (stage.root / "helper.py").exists()


THROUGH = """\
def _e(k, d, t=str):  # of #641
    v = os.environ.get(k, str(d))
    if t == bool: return bool(int(v))
    return t(v)
"""


@pytest.mark.parametrize("read", ["os.environ.get", "_e"])
@pytest.mark.parametrize("default", ["./data/datasets/mine", "data/else/where"])
def test_the_default_data_path_of_the_script_resolves(
    tmp_path: Path, default: str, read: str
) -> None:
    """Whatever the script names, relative to its working directory, and however it reads it."""
    script = f'import os\n{THROUGH}class H:\n    data_path = {read}("DATA_PATH", "{default}")\n'
    stage = _stage(_folder(tmp_path, script), tmp_path / "stage")
    assert "DATA_PATH" not in stage.spec.environment
    found = read_shard(stage.root / default / "fineweb_val_000000.bin")
    assert np.array_equal(found, TOKENS)
    assert len(list((stage.root / default).glob("fineweb_train_*.bin"))) == 2


def test_an_absolute_default_is_replaced_where_there_is_a_switch(tmp_path: Path) -> None:
    """And bound into the stage where there is none."""
    script = (
        'import os\nclass H:\n    data_path = os.environ.get("DATA_PATH", "/mnt/here/data")\n'
        '    val_files = "/workspace/data/fineweb_val_*.bin"\n'
    )
    stage = _stage(_folder(tmp_path, script), tmp_path / "stage")
    assert stage.spec.environment["DATA_PATH"].text == "./data/datasets/fineweb10B_sp260"
    assert stage.binds == {"/workspace": "outside/workspace"}
    bound = stage.root / "outside/workspace/data/fineweb_val_000000.bin"
    assert np.array_equal(read_shard(bound), TOKENS)


@pytest.mark.parametrize("known", [True, False])
def test_the_byte_sidecar_only_for_scripts_that_know_it(tmp_path: Path, known: bool) -> None:
    """Others would read it as a shard of validation tokens."""
    script = 'NAME = "fineweb_val_bytes_*.bin"\n' if known else "NAME = 1\n"
    stage = _stage(_folder(tmp_path, script), tmp_path / "stage")
    sidecars = list(stage.root.rglob("fineweb_val_bytes_*.bin"))
    assert bool(sidecars) == known
    for sidecar in sidecars:  # a boundary stands for no text, a byte for itself
        assert read_shard(sidecar).tolist() == [0] + [1] * (TOKENS.size - 1)


@pytest.mark.parametrize("way", ["../../escaped", "/workspace/../../../../escaped"])
def test_nothing_is_written_outside(tmp_path: Path, way: str) -> None:
    """A path with `..` is not followed, be it relative or absolute."""
    stage = _stage(_folder(tmp_path, f'class H:\n    data_path = "{way}"\n'), tmp_path / "a/stage")
    assert not (tmp_path / "escaped").exists()
    assert stage.binds == {}


def test_a_path_is_taken_without_dots_and_what_is_none_is_not_served(tmp_path: Path) -> None:
    """Each path that is bound has a folder in the stage, whatever a script calls a path."""
    odd = ["/none/../spare/fineweb10B", "//srv//./fineweb10B", "/data/../proc/fineweb10B"]
    odd += ["/" + "x" * 300 + "/fineweb10B", "/a/\0/fineweb10B", "/mnt/only/shard_?.bin"]
    odd += ["/b/\ud800", "/c/" + "d/" * 2000 + "fineweb10B"]
    odd += ["train_gpt.py/fineweb10B", "train_gpt.py/x_*.bin"]
    script = "".join(f"data_path_{n} = {path!r}\n" for n, path in enumerate(odd))
    stage = _stage(_folder(tmp_path, script), tmp_path / "stage")
    assert stage.binds == {"/spare": "outside/spare", "/srv": "outside/srv"}
    assert (stage.root / "outside/spare/fineweb10B/fineweb_val_000000.bin").is_file()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python reads the grammar itself")
def test_a_newer_grammar_is_lowered_and_says_the_same(tmp_path: Path) -> None:
    """Quotes reused inside f-strings, and `{x=}`; the evidence says that it was done."""
    script = 'd = {"a": 1.5}\nx = 2.0\nprint(f"{d["a"]:.2f}{ x=:.3f}")\n'
    stage = _stage(_folder(tmp_path, script), tmp_path / "stage")
    lowered = "train_gpt.py: f-strings lowered to this Python's grammar before the run"
    assert stage.changes == (lowered,)
    ran = subprocess.run(
        [sys.executable, stage.spec.entry],
        cwd=stage.root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "1.50 x=2.000\n"


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python reads the grammar itself")
def test_what_was_unpacked_to_be_lowered_is_said_to_be(tmp_path: Path) -> None:
    """The file that runs is another one than was submitted, and so the evidence says."""
    inner = 'import os\nd = {"a": 1}\nprint(f"{d["a"]}")\n' + "".join(
        f"X{n} = {n**5}\n" for n in range(99)
    )
    payload = base64.b64encode(zlib.compress(inner.encode())).decode()
    script = f'import base64, zlib\nexec(zlib.decompress(base64.b64decode("{payload}")))\n'
    stage = _stage(_folder(tmp_path, script), tmp_path / "stage")
    (change,) = stage.changes
    assert change.startswith("train_gpt.py: unpacked, and its f-strings lowered")


def test_every_value_that_stands_in_for_one_of_the_script_is_a_change(tmp_path: Path) -> None:
    """Numbers in the code and attributes of a class, by their place; the file is as it was."""
    script = "class Hyperparameters:\n    model_dim = 512\nBUCKETS = 4_194_304\n"
    stage = _stage(_folder(tmp_path, script), tmp_path / "stage")
    assert (stage.root / stage.spec.entry).read_text() == script
    number, attribute = stage.changes
    assert number.startswith("line 3: BUCKETS = ") and "4194304" not in number
    assert attribute.startswith("class attribute Hyperparameters.model_dim = ")


def test_a_lone_script_takes_nothing_along(tmp_path: Path) -> None:
    """What lies beside it may be anything."""
    (tmp_path / "train_gpt.py").write_text("X = 1\n")
    (tmp_path / "private.txt").write_text("mine")
    switches = read_switches(tmp_path / "train_gpt.py")
    stage = build_stage(_spec(switches), StageData(TOKENS, (TOKENS,)), tmp_path / "stage")
    assert not (stage.root / "private.txt").exists()
    assert (stage.root / "train_gpt.py").exists()
