"""Numbers of imported files are exchanged while they are compiled, and only those."""

import importlib
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

from harness.inside import imported_constants


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
