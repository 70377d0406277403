"""Shared means of the scanner's tests: scanning texts, running the command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from audits.findings import Finding
from audits.judge import scan_path

Scan = Callable[..., list[Finding]]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[Mapping[str, str | bytes]], Path]:
    """Writes files and returns the folder that holds them."""

    def write(files: Mapping[str, str | bytes]) -> Path:
        root = tmp_path / "submission"
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return root

    return write


@pytest.fixture
def scan(folder: Callable[[Mapping[str, str | bytes]], Path]) -> Scan:
    """Scans a folder given as texts; all findings of all its files."""

    def run(files: Mapping[str, str | bytes], profile: str = "strict") -> list[Finding]:
        report = scan_path(folder(files), profile)
        return [finding for file in report.files for finding in file.findings]

    return run


@pytest.fixture
def command() -> Command:
    """Runs `python -m audits.scan` as a user does."""

    def run(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "audits.scan", *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
