"""A score is recognised, however its tokens are found, its bytes counted and its code laid out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from audits.judge import scan_path

Folder = Callable[[Mapping[str, str | bytes]], Path]
HEAD = """
import glob, math, os, sys
from array import array
from pathlib import Path
import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parent / "parts"))
"""
NAMED = """
def read_all(folder):
    return np.concatenate([np.fromfile(one, dtype="<u2") for one in sorted(named(folder))])


def named(folder):
    names = sorted(one for one in os.listdir(folder) if one.startswith("fineweb_val_"))
    return [os.path.join(folder, one) for one in names]
"""
WALKED = """
def read_all(folder):
    found = []
    for one in Path(folder).iterdir():
        if "fineweb_val" in one.name:
            found.append(np.fromfile(one, dtype="<u2"))
    return np.concatenate(found)
"""
RAW = """
def read_all(folder):
    ids = array("H")
    for one in glob.glob(folder + "/fineweb_val_*.bin"):
        with open(one, "rb") as file:
            ids.frombytes(file.read()[1024:])
    return np.array(ids)
"""
TABLE = """
def bytes_of(table, y):
    return int(table[y].sum())


table = torch.ones(1024)
"""
DICTIONARY = """
def bytes_of(table, y):
    total = 0
    for token in y.tolist():
        length, space = table.get(token, (0, 0))
        total += length + space
    return total


table = {token: (len(str(token)), 1) for token in range(1024)}
"""
SCORED = """
model = torch.nn.Sequential(torch.nn.Embedding(1024, 64), torch.nn.Linear(64, 1024))
tokens = torch.from_numpy(read_all(os.environ.get("DATA_PATH", "data")))
nats, n_bytes = 0.0, 0
for start in range(0, len(tokens) - 512, 512):
    x, y = tokens[start : start + 512], tokens[start + 1 : start + 513]
    nats += F.cross_entropy(model(x), y, reduction="sum").item()
    n_bytes += bytes_of(table, y)
print("bits per byte", nats / math.log(2.0) / n_bytes)
"""


@pytest.mark.parametrize("read", [NAMED, WALKED, RAW], ids=["listdir", "iterdir", "raw bytes"])
@pytest.mark.parametrize("count", [TABLE, DICTIONARY], ids=["tensor", "dictionary"])
def test_a_score_is_recognised(folder: Folder, read: str, count: str) -> None:
    """Shards of a listed folder, bytes read by hand, lengths looked up in a dictionary."""
    (file,) = scan_path(folder({"train_gpt.py": HEAD + read + count + SCORED})).files
    assert file.judged


def test_a_module_in_a_folder_of_its_own_is_read(folder: Folder) -> None:
    """The folder that the script puts on the path of imports."""
    files = {
        "train_gpt.py": HEAD + "from pieces import *\n" + SCORED,
        "parts/pieces.py": HEAD + NAMED + TABLE,
    }
    report = scan_path(folder(files))
    assert [file.judged for file in report.files] == [True, True]
