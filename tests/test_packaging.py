"""What an installation holds."""

import tomllib
from fnmatch import fnmatch
from pathlib import Path

from harness.commands import dispatch

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = ("audits", "harness", "reference_model", "scorefirst")


def test_scorefirst_is_the_dispatcher() -> None:
    """The script of that name calls this function."""
    name = f"{dispatch.__name__}:{dispatch.main.__name__}"
    assert PROJECT["project"]["scripts"] == {"scorefirst": name}


def test_every_file_of_a_package_is_packed() -> None:
    """Code, where its folder is a package; what is no code, where a pattern names it."""
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if not path.is_file() or "__pycache__" in path.parts:
                continue
            assert (path.parent / "__init__.py").exists() or path.suffix != ".py", path
            name = path.relative_to(ROOT / package).as_posix()
            assert path.suffix == ".py" or any(fnmatch(name, p) for p in patterns[package]), path


def test_every_package_tells_its_types() -> None:
    """So that mypy looks into it for a caller."""
    assert all((ROOT / package / "py.typed").exists() for package in PACKAGES)
