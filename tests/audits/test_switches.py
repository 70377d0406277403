"""Switches: what a script reads, what its folder sets, what it fixes itself."""

import base64
import lzma
from pathlib import Path

import pytest

from audits.facts.documented.logs import from_texts
from audits.switches import Switches, read_switches

SCRIPT = """\
import argparse, os

def _e(name, default, kind=str):
    return kind(os.environ.get(name, default))

class Hyperparameters:
    data_dir = os.environ.get("DATA_DIR", "./data/")
    vocab_size = int(os.environ.get("VOCAB_SIZE", 1024))
    datasets_dir = os.path.join(data_dir, "datasets", f"fineweb10B_sp{vocab_size}")
    ttt_enabled = bool(int(os.environ.get("TTT_ENABLED", "0")))
    ttt_lr = _e("TTT_LR", 0.002, float)
    model_dim = 512
    rank = int(os.environ["RANK"])

def main():
    args = Hyperparameters()
    if args.ttt_enabled:
        buckets = int(os.getenv("NGRAM_BUCKETS", str(4194304)))

def never_called():
    return os.environ.get("DEBUG_STRIDE", "64")

parser = argparse.ArgumentParser()
parser.add_argument("--batch-size", type=int, default=32)
main()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train_gpt.py").write_text(SCRIPT)
    return tmp_path


def _values(switches: Switches) -> dict[str, str | None]:
    return {name: switch.default for name, switch in switches.switches.items()}


def test_every_way_of_reading_is_found(folder: Path) -> None:
    """Class body, wrapper, required, inside a branch that is off, and in code never reached."""
    switches = read_switches(folder / "train_gpt.py")
    assert _values(switches) == {
        "DATA_DIR": "./data/",
        "VOCAB_SIZE": "1024",
        "TTT_ENABLED": "0",
        "TTT_LR": "0.002",
        "RANK": None,
        "NGRAM_BUCKETS": "4194304",
        "DEBUG_STRIDE": "64",
    }
    assert switches.switches["RANK"].required
    assert not switches.switches["TTT_LR"].required


@pytest.mark.parametrize(
    "merged",
    [
        "{**STANDARD, **os.environ}",
        "STANDARD | {'EXTRA_DIM': '7'} | os.environ.copy()",
        "dict(STANDARD, **dict(os.environ))",
        "ChainMap(os.environ, STANDARD)",
        "None; STANDARD.update(os.environ)",
    ],
)
def test_a_table_below_the_environment_holds_switches(tmp_path: Path, merged: str) -> None:
    """Whatever lays the environment over it; a table that it is not laid over holds none."""
    tables = 'STANDARD = {"MODEL_DIM": "512", "n": 3}\nOTHER = {"NUM_HEADS": "8"}\n'
    (tmp_path / "train_gpt.py").write_text(f"import os\n{tables}told = {merged}\n")
    values = _values(read_switches(tmp_path / "train_gpt.py"))
    assert values.pop("EXTRA_DIM", "7") == "7"
    assert values == {"MODEL_DIM": "512"}


def test_what_has_no_switch_is_an_attribute(folder: Path) -> None:
    """The driver patches these; a value that a switch decides is none of them."""
    switches = read_switches(folder / "train_gpt.py")
    assert switches.attributes["Hyperparameters.model_dim"] == 512
    assert "Hyperparameters.vocab_size" not in switches.attributes


def test_command_line_options(folder: Path) -> None:
    """By their long name, with the default as text."""
    flags = read_switches(folder / "train_gpt.py").flags
    assert flags["--batch-size"].default == "32"


def test_a_packed_script_reads_the_same_switches(folder: Path) -> None:
    """The payload is decoded, never run."""
    plain = read_switches(folder / "train_gpt.py")
    packed = base64.b85encode(lzma.compress(SCRIPT.encode())).decode()
    wrapper = f"import base64, lzma\nexec(lzma.decompress(base64.b85decode({packed!r})))\n"
    (folder / "train_gpt.py").write_text(wrapper)
    assert _values(read_switches(folder / "train_gpt.py")) == _values(plain)


def test_paths_follow_the_environment(folder: Path) -> None:
    """A data folder is derived from switches in 84 to 92 scripts."""
    switches = read_switches(folder / "train_gpt.py")
    paths = switches.paths_under({"VOCAB_SIZE": "8192", "DATA_DIR": "/data"})
    assert paths["Hyperparameters.datasets_dir"] == "/data/datasets/fineweb10B_sp8192"
    assert switches.paths["Hyperparameters.datasets_dir"].endswith("fineweb10B_sp1024")


def test_the_folder_says_what_it_ran(folder: Path) -> None:
    """A command outranks a log, which outranks prose; every value keeps its origin."""
    (folder / "README.md").write_text(
        "We set TTT_LR=0.9 at first.\n```bash\nSEED=1 TTT_ENABLED=1 torchrun train_gpt.py\n```\n"
    )
    switches = read_switches(folder)
    assert switches.settings["TTT_ENABLED"].value == "1"
    assert switches.settings["TTT_ENABLED"].origin.startswith("README.md line 3")
    assert "TTT_LR" not in switches.settings  # there are commands: prose says nothing
    assert switches.value("TTT_ENABLED") == "1"
    assert switches.value("TTT_LR") == "0.002"


def test_prose_counts_where_there_is_no_command(folder: Path) -> None:
    """As long as it always says the same, and for switches that the script reads."""
    (folder / "README.md").write_text(
        "Run with `TTT_ENABLED=1` and VOCAB_SIZE=1024, or VOCAB_SIZE=8192. OTHER=3.\n"
    )
    (folder / "submission.json").write_text("{}")
    settings = read_switches(folder).settings
    assert settings["TTT_ENABLED"].value == "1"
    assert settings["TTT_ENABLED"].origin == "README.md line 1 (prose)"
    assert set(settings) == {"TTT_ENABLED"}


@pytest.mark.parametrize("value", ["<seed>", "lots", "1e-3,"])
def test_a_placeholder_sets_nothing(folder: Path, value: str) -> None:
    """A word is no value for a switch whose default is a number."""
    (folder / "README.md").write_text(f"```\nTTT_LR='{value}' python train_gpt.py\n```\n")
    assert read_switches(folder).value("TTT_LR") == "0.002"


def test_logs_of_another_run_set_nothing(folder: Path) -> None:
    """One value against the documented command, and the whole dump is another run's."""
    dump = "\n".join(f"  other_{n}: {n}" for n in range(8))
    (folder / "train.log").write_text(
        f"Hyperparameters:\n{dump}\n  ttt_lr: 0.5\n  vocab_size: 1024\nstep:1/3 val_loss:2.1\n"
    )
    assert read_switches(folder).value("TTT_LR") == "0.5"
    (folder / "README.md").write_text("```\nVOCAB_SIZE=8192 python train_gpt.py\n```\n")
    assert read_switches(folder).value("TTT_LR") == "0.002"
    assert read_switches(folder).value("VOCAB_SIZE") == "8192"


def test_a_technique_by_the_number_of_ranks_is_on(folder: Path) -> None:
    """The contest had eight: #758 mixes its cache in on several ranks only. A size that follows
    the ranks stays what it is on one.
    """
    script = folder / "train_gpt.py"
    reads = (
        "world_size = int(os.environ.get('WORLD_SIZE', 1))\n"
        "many = '1' if world_size > 1 else '0'\n"
        "cache = bool(int(os.environ.get('NGRAM_CACHE', many)))\n"
        "steps = int(os.environ.get('ACCUMULATE', 8 // world_size))\n"
    )
    script.write_text(script.read_text().replace("def main():", reads + "def main():"))
    switches = read_switches(folder)
    assert switches.settings["NGRAM_CACHE"].value == "1"
    assert "ACCUMULATE" not in switches.settings
    (folder / "README.md").write_text("```\nNGRAM_CACHE=0 python train_gpt.py\n```\n")
    assert read_switches(folder).settings["NGRAM_CACHE"].value == "0"


def test_a_word_in_a_log_is_a_setting() -> None:
    """`model_preset:lean`: without it #853 ran another preset, whose n-gram cache is off."""
    logs = from_texts({"train.log": "model_preset:lean run:x ngram_eval:done\n"}, {})
    assert logs.settings["model_preset"].value == "lean"
    assert "ngram_eval" not in logs.settings


def test_an_event_in_a_log_is_no_setting(folder: Path) -> None:
    """`ttt_enabled:done` says nothing of a value; a number behind the name does."""
    script = folder / "train_gpt.py"
    branch = "if Hyperparameters.ttt_enabled:\n    print('ttt starts here')\n"
    script.write_text(script.read_text() + branch)
    log = "ttt starts here\nttt_enabled:done val_loss:2.1\nttt_lr:0.5 done\nstep:1/3 val_loss:2.1\n"
    (folder / "train.log").write_text(log)
    switches = read_switches(folder)
    assert switches.settings["TTT_ENABLED"].value == "1"
    assert "line 1" in switches.settings["TTT_ENABLED"].origin
    assert switches.value("TTT_LR") == "0.5"
