"""Numbers of imported files are exchanged while they are compiled, and only those."""

import importlib
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

import numpy as np
import pytest

from harness.inside import imported_constants
from harness.inside.hooks import watching
from harness.trace.reader import load


def test_a_number_of_an_imported_file_is_exchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file keeps its text; a file of the same name elsewhere keeps its number."""
    (tmp_path / "parts_of_it.py").write_text("DIM = 768\nclass Net:\n    depth = 12\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "more_parts.py").write_text("DIM = 768\n")
    monkeypatch.setattr(SourceFileLoader, "source_to_code", SourceFileLoader.source_to_code)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path / "other"))
    values = {"parts_of_it.py:1:DIM": "64", "parts_of_it.py:3:depth": "2", "1:DIM": "8"}
    imported_constants.install(values, tmp_path)
    found = importlib.import_module("parts_of_it")
    assert (found.DIM, found.Net.depth) == (64, 2)
    assert importlib.import_module("more_parts").DIM == 768
    assert "768" in (tmp_path / "parts_of_it.py").read_text()


def test_the_hooks_rewrite_what_came_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are exchanged, and scores are seen, in one and the same file."""
    stream = np.random.default_rng(5).integers(0, 64, 513)
    (tmp_path / "scores_of_it.py").write_text(
        "import math\n"
        "DIM = 768\n"
        "def scores(ids):\n"
        "    return [-math.log(0.3 + 0.001 * ids[t]) for t in range(1, 513)]\n"
    )
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(tmp_path))
    with watching(stream, tmp_path / "out" / "rank0", tmp_path):
        imported_constants.install({"scores_of_it.py:2:DIM": "64"}, tmp_path)
        found = importlib.import_module("scores_of_it")
        found.scores(stream.tolist())
    assert found.DIM == 64
    capture = load(tmp_path / "out")
    assert sorted({*capture.position.tolist()}) == list(range(1, 513))


@pytest.mark.parametrize("way", ["exec(text)", 'exec(compile(text, "it.py", "exec"))'])
def test_a_number_of_executed_text_is_exchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Of the key's line and name; text that is no Python fails as it would have."""
    stream = np.random.default_rng(5).integers(0, 64, 513)
    space: dict[str, object] = {}
    with watching(stream, tmp_path / "out" / "rank0", tmp_path) as recorder:
        imported_constants.install({"<string>:2:DIM": "64"}, tmp_path)
        script = f"""text = "import math\\nDIM = 768\\nOTHER = 768"
{way}
try:
    exec("no python")
except SyntaxError as error:
    broken = error
"""
        exec(recorder.compiled(script, str(tmp_path / "train_gpt.py")), space)
    assert (space["DIM"], space["OTHER"]) == (64, 768)
    assert isinstance(space["broken"], SyntaxError)
