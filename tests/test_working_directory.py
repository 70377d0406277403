"""Nothing that lies in the working directory is a module to us: it may be a submission's folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAMES = {*sys.stdlib_module_names, "torch", "numpy", "tqdm", "jsonschema", "reference_model"}
COMMANDS = {
    "harness.evaluate": ["nowhere"],
    "audits.scan": ["train_gpt.py"],
    "audits.corpus": ["--help"],
}


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file named like every module that could be meant; each says that it ran."""
    folder = tmp_path_factory.mktemp("record")
    for name in NAMES:
        (folder / f"{name}.py").write_text(f"open('{name} was imported', 'w').close()\n")
    (folder / "train_gpt.py").write_text("print('val_bpb: 1.0')\n")
    return folder


@pytest.mark.parametrize("module", COMMANDS)
def test_a_command_imports_nothing_of_the_working_directory(module: str, record: Path) -> None:
    """Not even before its first line: `-m` puts that directory first on the path."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    ran = subprocess.run(
        [sys.executable, "-m", module, *COMMANDS[module]],
        cwd=record,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert [path.name for path in record.glob("* was imported")] == []
    assert "Traceback" not in ran.stderr and ran.returncode in (0, 2), ran


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
