"""Laws of what is noted of a script's settings: every spelling, each name once."""

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.inside import parsed_files
from harness.inside.hooks import watching
from harness.protocol.asked import MOST_NAMES
from harness.trace.reader import load, load_asked

SCRIPT = """
import argparse, os
TABLE = {"dim": ("TABLE_DIM", 512), "rate": ("TABLE_RATE", 0.5)}
class Conf: pass
for attribute, (name, value) in TABLE.items():
    setattr(Conf, attribute, type(value)(os.environ.get(name, value)))
for attribute, (name, value) in {"x": ("LATE_DIM", 96)}.items():
    raw = os.environ.get(name)
    setattr(Conf, attribute, value if raw is None else type(value)(raw))
def env(key, default):
    raw = os.environ.get(key)
    return default if raw is None else type(default)(raw)
depth = env("DEPTH", 9)
os.getenv("GOT", 1.5)
def rows(tokens, share=1.0, seen=None):
    return [share] * (int(os.getenv("BITE") or 2048) // int(os.getenv("SPAN") or 128))
rows(9)
class Late:
    def __getattr__(self, name):
        word, usual = {"hop": ("HOP", 64)}[name]
        return type(usual)(os.environ[word]) if word in os.environ else usual
Late().hop
"IN" in os.environ
os.environ.setdefault("SET", "7")
os.environ.pop("POPPED", None)
os.environ.copy().get("COPIED", 3)
dict(os.environ).get("HELD", 11)
try:
    os.environ["NEEDED"]
except KeyError:
    pass
parser = argparse.ArgumentParser()
parser.add_argument("--model-dim", type=int, default=256)
parser.add_argument("--fast", action="store_true")
parser.add_argument("--of-file", type=int)
assert parser.parse_args(["--of-file", "384"]).model_dim == 256 and Conf.dim == 512 and depth == 9
assert type(os.environ).__name__ == "_Environ" and os.environ["SET"] == "7"
"""


def asked_by(folder: Path, text: str, **options: object) -> dict[str, str | None]:
    script = folder / "train_gpt.py"
    script.write_text(text)
    with watching(np.arange(64), folder / "out" / "rank0", folder, **options) as recorder:  # type: ignore[arg-type]
        assert recorder.compiled is not None
        code = recorder.compiled(text, str(script))
        exec(code, {"__name__": "__main__", "__file__": str(script)})
    assert load(folder / "out").errors == []
    return {one.name: one.default for one in load_asked(folder / "out")}


def test_every_spelling_is_noted_with_its_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing that only a library looks up, or that was there when all was copied."""
    monkeypatch.delenv("SET", raising=False)
    found = asked_by(tmp_path, SCRIPT)
    monkeypatch.delenv("SET")
    assert found == {
        "TABLE_DIM": "512",
        "TABLE_RATE": "0.5",
        "LATE_DIM": "96",
        "DEPTH": "9",
        "GOT": "1.5",
        "BITE": "2048",
        "SPAN": "128",
        "HOP": "64",
        "IN": None,
        "SET": "7",
        "POPPED": None,
        "COPIED": "3",
        "HELD": "11",
        "NEEDED": None,
        "--model-dim": "256",
        "--fast": None,
        "--of-file": "384",
    }


def test_what_a_script_notes_is_bounded(tmp_path: Path) -> None:
    """A script that asks for a hundred thousand names fills no disk."""
    text = "import os\nfor i in range(100_000):\n    os.environ.get(f'N{i}' + 'x' * (i % 300))\n"
    assert len(asked_by(tmp_path, text)) <= MOST_NAMES


CONFIGURED = """
import configparser, json, tomllib, runpy
from pathlib import Path
here = Path(__file__).parent
held = json.loads('{"model": {"dim": 512, "rate": 0.5, "deep": true}, "name": "x"}')
held["toml"] = tomllib.loads((here / "run.toml").read_text())
ini = configparser.ConfigParser()
ini.read(here / "run.ini")
held["ini"] = ini.getint("data", "span")
held["python"] = runpy.run_path(str(here / "conf.py"))["width"]
with open(here / "run.json") as file:
    held["json"] = json.load(file)
(here / "meta.json").write_text(json.dumps(dict(model=dict(dim=512))))
held["own"] = json.loads((here / "meta.json").read_text())
json.loads((here / "words.json").read_text())
"""


def test_numbers_of_configuration_files_are_noted_and_exchanged(tmp_path: Path) -> None:
    """By their names, whatever parses them; not a vocabulary, and nothing that the script wrote."""
    (tmp_path / "run.toml").write_text("[train]\nsteps = 900")
    (tmp_path / "run.ini").write_text("[data]\nspan = 1024\nwhere = here")
    (tmp_path / "conf.py").write_text("width = 7 * 11")
    (tmp_path / "run.json").write_text('{"late": {"bite": 4096}}')
    (tmp_path / "words.json").write_text(json.dumps({f"w{i}": i for i in range(9999)}))
    noted = {"model.dim": "512", "model.rate": "0.5", "train.steps": "900"}
    noted |= {"data.span": "1024", "width": "77", "late.bite": "4096"}
    assert asked_by(tmp_path, CONFIGURED) == noted
    (tmp_path / "meta.json").unlink()
    told = {"model.dim 512": "32", "train.steps 900": "3", "data.span 1024": "64", "width 77": "8"}
    theirs = lambda frame: frame.f_code.co_filename == "<string>"  # noqa: E731
    space: dict[str, Any] = {"__file__": str(tmp_path / "train_gpt.py")}
    with contextlib.ExitStack() as stack:
        for look in (parsed_files.exchange(told), lambda parsed: None):  # two, as in a watched run
            stack.callback(parsed_files.Parsers(look, theirs, tmp_path).close)
        exec(CONFIGURED, space)
    held = space["held"]
    assert held["model"]["dim"] == 32 and held["own"]["model"]["dim"] == 512
    assert held["toml"]["train"]["steps"] == 3 and held["ini"] == 64 and held["python"] == 8


@pytest.mark.parametrize("foreseen", [None, (), ("WIDTH",)])
def test_a_run_ends_where_work_begins_if_it_asked_for_a_size_that_nobody_foresaw(
    tmp_path: Path, foreseen: tuple[str, ...] | None
) -> None:
    """Only where that is asked for, and not for a name that is known."""
    text = (
        "import os, torch\nwidth = int(os.environ.get('WIDTH', 64))\n"
        "torch.nn.Linear(width, 1)(torch.zeros(1, width))\nos.environ.get('BEHIND', 1)\n"
    )
    if foreseen == ():
        with pytest.raises(SystemExit):
            asked_by(tmp_path, text, foreseen=foreseen)
    else:
        assert "BEHIND" in asked_by(tmp_path, text, foreseen=foreseen)
