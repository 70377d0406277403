"""What a scan says of every script: what it recognised, and first of all where that was no score.

What is shown is held word for word by `golden/`: to change it, delete the file, run, and read what
was written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from audits.judge import scan_path
from audits.output import FORMATS
from audits.output.view import View
from audits.recognised import Recognised
from audits.rules import CHECKS
from audits.rules.cases import script

Folder = Callable[[Mapping[str, str | bytes]], Path]

GOLDEN = Path(__file__).parent / "golden"
SCHEMA = json.loads(files("audits").joinpath("schemas/scan.schema.json").read_text("utf-8"))
LEGAL = script("""
    table = torch.zeros(4096)
    for step in range(10):
        model(*batch(train_tokens, step)).backward()
        optimizer.step()
    if bool(int(os.environ.get("ADAPT", "1"))):
        rate = 0.1
    if bool(int(os.environ.get("WARM_UP", "0"))):
        x, y = batch(val_tokens, 0)
        model(x, y).backward()
        optimizer.step()
    for start in range(0, len(val_tokens), 512):
        x, y = batch(val_tokens, start)
        add(model(x)[:, -64:].sum() + table[x].sum(), y)
        table[x] += 1
        model(x, y).backward()
        optimizer.step()
""")
ILLEGAL = script("""
    shapes = {"flat": lambda losses: losses}
    shape = os.environ["SHAPE"]
    for start in range(0, len(val_tokens), 512):
        x, y = batch(val_tokens, start)
        model(x, y).backward()
        optimizer.step()
    for start in range(0, len(val_tokens), 512):
        x, y = batch(val_tokens, start)
        bend = json.loads(shape)[0]
        add(bend(model(x, y)), y)
""")
NO_SCORE = "import torch\n\nmodel = torch.nn.Linear(2, 2)\nprint('val_bpb', 1.0)\n"
FOLDERS = {
    "legal": {"train_gpt.py": LEGAL, "README.md": "```bash\nADAPT=1 torchrun train_gpt.py\n```\n"},
    "illegal": {"train_gpt.py": ILLEGAL, "ablation.py": ILLEGAL, "data.py": "shards = 10\n"},
    "no_score": {"train_gpt.py": NO_SCORE},
}


def shown(folder: Folder, name: str) -> View:
    report = scan_path(folder(FOLDERS[name]))
    return View("strict", (report,), tuple(sorted(CHECKS)))


@pytest.mark.parametrize("name", FOLDERS)
def test_the_map_comes_first(folder: Folder, name: str) -> None:
    """In text, word for word; in JSON, as the schema has it."""
    view = shown(folder, name)
    text = FORMATS["text"](view)
    golden = GOLDEN / f"{name}.txt"
    if not golden.exists():
        golden.write_text(text)
    assert text == golden.read_text()
    jsonschema.validate(json.loads(FORMATS["json"](view)), SCHEMA)


def test_without_a_score_the_first_line_says_so(folder: Folder) -> None:
    """Never "0 fail" alone."""
    first, *_ = FORMATS["text"](shown(folder, "no_score")).splitlines()
    assert first == "Nothing was judged: no score was recognised in train_gpt.py."


def recognised(folder: Folder, text: str) -> Recognised:
    (file,) = scan_path(folder({"train_gpt.py": text})).files
    assert file.recognised is not None
    return file.recognised


CUTS = {
    "a function from a table": ("add(pick[name](model(x, y)), y)", "pick[name], not known"),
    "a module by name": ("add(chosen.bend(model(x, y)), y)", "chosen.bend, not known"),
    "a package": ("add(somebody.shape(model(x, y)), y)", "somebody.shape, of a package"),
    "built code": ('exec("add(" + os.environ["WHAT"] + ")")', "exec of code that is put together"),
    "itself": ("def again(z):\n        return again(z)\n    add(again(model(x, y)), y)", "again"),
    "native code": ("add(native.bend(model(x, y)), y)", "bend, native code without its source"),
}


@pytest.mark.parametrize("name", CUTS)
def test_a_construct_that_is_not_followed_is_listed(folder: Folder, name: str) -> None:
    """With its line, and with what is lost there."""
    body, said = CUTS[name]
    head = "import ctypes, importlib, somebody\npick = somebody.pick\nname = os.environ['NAME']\n"
    head += "chosen = importlib.import_module(name)\n"
    head += "native = ctypes.CDLL('./bend.so')\n"
    text = script(
        f"{head}for start in range(0, len(val_tokens), 512):\n"
        f"    x, y = batch(val_tokens, start)\n    {body}\n"
    )
    (cut,) = recognised(folder, text).unfollowed
    assert said in cut.construct
    assert text.splitlines()[cut.line - 1].strip() in body
    assert cut.lost


def test_known_packages_are_no_cuts(folder: Folder) -> None:
    """What is read, or only computes, is not listed: the list stays short."""
    for case in CHECKS["ORDER-2"].valid:
        assert recognised(folder, case).unfollowed == (), case
