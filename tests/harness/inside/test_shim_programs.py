"""The placed programs behave as the scripts that call them expect."""

import os
import subprocess
from pathlib import Path

import pytest

from harness.inside.shim import programs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every program."""
    path = tmp_path_factory.mktemp("programs")
    programs.place(path)
    return path


def _run(folder: Path, *words: str, given: bytes = b"", cwd: Path | None = None) -> bytes:
    done = subprocess.run(
        [str(folder / words[0]), *words[1:]],
        input=given,
        capture_output=True,
        check=True,
        cwd=cwd or folder,
        env={"PATH": f"{folder}{os.pathsep}/usr/bin:/bin"},
    )
    return done.stdout


@pytest.mark.parametrize("data", [b"", b"a" * 10_000, bytes(range(256)) * 9])
def test_lrzip_gives_back_every_byte(folder: Path, tmp_path: Path, data: bytes) -> None:
    """What `lrzip -z -L 9 -o` writes, `lrzip -d -f -o` reads; the input stays."""
    (tmp_path / "in").write_bytes(data)
    _run(folder, "lrzip", "-z", "-L", "9", "-o", "packed", "in", cwd=tmp_path)
    _run(folder, "lrzip", "-d", "-f", "-o", "in", "packed", cwd=tmp_path)
    assert (tmp_path / "in").read_bytes() == data
    assert (tmp_path / "packed").exists()


def test_lrzip_names_files_like_the_original(folder: Path, tmp_path: Path) -> None:
    """Without `-o` the suffix comes and goes, and an existing file is not overwritten."""
    (tmp_path / "in").write_bytes(b"weights")
    _run(folder, "lrzip", "in", cwd=tmp_path)
    assert (tmp_path / "in.lrz").exists()
    with pytest.raises(subprocess.CalledProcessError):
        _run(folder, "lrunzip", "in.lrz", cwd=tmp_path)
    (tmp_path / "in").unlink()
    _run(folder, "lrunzip", "in.lrz", cwd=tmp_path)
    assert (tmp_path / "in").read_bytes() == b"weights"


def test_pyminify_keeps_the_program(folder: Path) -> None:
    """Comments and literal statements go, results stay; text it cannot parse comes back whole."""
    text = b'"""Docs."""\ndef double(x):\n    """More."""\n    return x * 2  # twice\n'
    small = _run(folder, "pyminify", "--no-rename-locals", "-", given=text)
    assert len(small) < len(text)
    space: dict[str, object] = {}
    exec(small, space)
    assert space["double"](21) == 42  # type: ignore[operator]
    assert _run(folder, "pyminify", "-", given=b"not python(") == b"not python("


def test_the_card_answers_queries(folder: Path) -> None:
    """One value a field asked for; the plain call prints something to log."""
    query = _run(folder, "nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader")
    assert query.decode().strip() == "NVIDIA H100 80GB HBM3, 81559 MiB"
    assert b"H100" in _run(folder, "nvidia-smi")


def test_the_compiler_does_not_pretend(folder: Path) -> None:
    """`nvcc` has a version and fails on sources, with what to do about it."""
    assert b"12.8" in _run(folder, "nvcc", "--version")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        _run(folder, "nvcc", "kernel.cu")
    assert b"--device cuda" in caught.value.stderr


def test_installers_change_nothing(folder: Path, tmp_path: Path) -> None:
    """`sudo apt-get install` and `pip install` succeed, and the folder stays empty."""
    for words in (("sudo", "apt-get", "install", "-y", "lrzip"), ("pip", "install", "brotli")):
        assert b"nothing is installed" in _run(folder, *words, cwd=tmp_path)
    assert not list(tmp_path.iterdir())
