"""`cd record; python -m audits.scan .` runs nothing of the record."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from audits.rules import CHECKS

ROOT = Path(__file__).resolve().parents[1]
LEGAL = CHECKS["ORDER-2"].valid[0]
LIBRARIES = (
    "brotli", "jsonschema", "libcst", "numpy", "platformdirs", "pyarrow", "safetensors", "scipy",
    "sentencepiece", "torch", "tqdm", "triton", "xxhash", "yaml", "zstandard",
)  # fmt: skip
MARK = "import os; open(os.environ['MARK'], 'a').write(__name__ + ' ')\n"


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A record folder, with a module of the name of everything that anybody may import, but for
    what Python itself imports on its way to us.
    """
    root = tmp_path / "record"
    root.mkdir()
    (root / "probe.py").write_text("import sys; print(*sys.modules)\n")
    loaded = python(root, "probe").stdout.split()
    for name in {*sys.stdlib_module_names, *LIBRARIES}.difference(loaded):
        (root / f"{name}.py").write_text(MARK)
    python(root, "probe")
    for name in ("probe", *imported(root).split()):  # such as nt, which it looks for everywhere
        (root / f"{name}.py").unlink(missing_ok=True)
    (tmp_path / "mark").unlink(missing_ok=True)
    (root / "train_gpt.py").write_text(LEGAL)
    return root


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`python -m ...` in a folder, which an empty entry of PYTHONPATH names as well."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=environment
        | {"PYTHONPATH": os.pathsep.join((str(ROOT), "")), "MARK": str(folder.parent / "mark")},
        capture_output=True,
        text=True,
        check=False,
    )


def imported(record: Path) -> str:
    mark = record.parent / "mark"
    return mark.read_text() if mark.exists() else ""


def test_the_modules_would_be_found(record: Path) -> None:
    """Else the other tests say nothing."""
    (record / "probe.py").write_text("import argparse, typing, torch\n")
    assert python(record, "probe").returncode == 0
    assert imported(record).split()[-3:] == ["argparse", "typing", "torch"]


@pytest.mark.parametrize("form", ["text", "sarif"])
def test_a_scan_imports_nothing_of_the_folder(record: Path, form: str) -> None:
    """Neither at the start nor while it reads; the modules are read as the script's, which they
    are, so that no score is recognised.
    """
    done = python(record, "audits.scan", "--format", form, ".")
    assert (imported(record), done.returncode, done.stderr) == ("", 3, "")
    assert "train_gpt.py" in done.stdout


def test_a_corpus_imports_nothing_of_the_folder(record: Path) -> None:
    """Nor do the processes that it starts."""
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b")
    for words in (["init", "-q", "-b", "main"], ["add", "train_gpt.py"], ["commit", "-qm", "a"]):
        subprocess.run([*git, *words], cwd=record, check=True)
    out = str(record.parent / "out")
    done = python(record, "audits.corpus", ".", "--refs", "main", "--out", out, "--jobs", "1")
    assert (imported(record), done.returncode) == ("", 0), done.stderr


def test_an_evaluation_imports_nothing_of_the_folder(record: Path) -> None:
    """With torch and all; here up to the question which of two files is meant."""
    (record / "train_gpt.py").rename(record / "train_b.py")
    (record / "train_a.py").write_text(LEGAL)
    out = str(record.parent / "out")
    done = python(record, "harness.evaluate", ".", "--out", out)
    assert (imported(record), done.returncode) == ("", 2), done.stderr
    assert "train_a.py, train_b.py" in done.stderr


def test_a_library_leaves_the_path_alone(tmp_path: Path) -> None:
    """A notebook that imports us still finds its own modules."""
    (tmp_path / "mine.py").write_text("import harness, audits, argparse_of_mine\n")
    (tmp_path / "argparse_of_mine.py").write_text("")
    assert python(tmp_path, "mine").returncode == 0


@pytest.mark.parametrize("module", ["harness.evaluate", "audits.scan"])
def test_in_our_own_checkout_the_packages_are_found_there(module: str) -> None:
    """Without being installed; to say what they do they need no other package."""
    ran = subprocess.run(
        [sys.executable, "-S", "-m", module, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"usage: python -m {module}" in ran.stdout, ran.stderr
