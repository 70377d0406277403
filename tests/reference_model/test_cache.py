"""Where things are kept that are built once."""

import multiprocessing
import sys
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from reference_model.data.cache import VARIABLE, cache_folder, keep
from reference_model.data.errors import DataError


def test_the_variable_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made, and absolute whatever was written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "kept here")
    assert cache_folder() == tmp_path / "kept here" and cache_folder().is_dir()


def test_else_it_is_the_platform_s_and_never_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below what XDG says on Linux."""
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    found = cache_folder()
    assert found.name == "scorefirst" and found.is_absolute() and found.parent != tmp_path
    if sys.platform == "linux":
        assert found == tmp_path / "caches" / "scorefirst"


def test_one_that_cannot_be_made_names_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path, the system's reason and the variable."""
    (tmp_path / "file").touch()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match=rf"file/cache.*{VARIABLE}"):
        cache_folder()


def _keep_often(path: Path, content: bytes, together: Barrier) -> None:
    together.wait(30)
    for _ in range(50):
        keep(path, content)
        assert len(set(path.read_bytes())) == 1


def test_a_file_that_two_processes_keep_is_always_whole(tmp_path: Path) -> None:
    """Whoever reads sees the content of one of them, and nothing else is left there."""
    path, context = tmp_path / "folder" / "kept.model", multiprocessing.get_context("spawn")
    together = context.Barrier(2)
    processes = [
        context.Process(target=_keep_often, args=(path, bytes([n]) * 100_000 * n, together))
        for n in (1, 2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert list(path.parent.iterdir()) == [path]
