"""report.json: what it names beside the verdict."""

import json
import subprocess
from pathlib import Path

import jsonschema
import pytest

from audits.tool import commit, version
from harness.protocol.confinement import IsolationAsked
from harness.report.markdown import render_markdown
from harness.report.model import SCHEMA_PATH, Report

ROOT = Path(__file__).resolve().parents[3]


def report(**extra: object) -> dict[str, object]:
    """The least that one can hold."""
    submission = {"name": "toy", "folder": "toy", "kind": "unreadable"}
    return Report(submission, "strict", None, {}, False, {}, "no folder", extra=extra).to_json()


def test_a_report_names_the_tool_that_made_it() -> None:
    """Version and commit, so that a stranger can run the same one."""
    tool = report()["tool"]
    assert tool == {"name": "scorefirst", "version": version(), "commit": commit()}
    jsonschema.validate(report(), json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))


@pytest.mark.parametrize("asked", ["partial", "none"])
def test_less_than_whole_isolation_is_said_in_the_first_line(asked: str) -> None:
    """Of every rendering: they begin with the same line."""
    submission = {"name": "toy", "folder": "toy", "kind": "unreadable"}
    less = IsolationAsked(asked)
    made = Report(submission, "strict", None, {}, False, {}, isolation=less).to_json()
    jsonschema.validate(made, json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))
    assert made["isolation"] == asked
    assert f"under --isolation {asked}" in made["summary"]["lines"][0]
    assert "isolation" in render_markdown(made).splitlines()[0]
    assert "--isolation" not in report()["summary"]["lines"][0]


def test_a_commit_is_that_of_the_code_that_runs(tmp_path: Path) -> None:
    """Changes show; a folder inside another project's checkout has none."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e@x.example"]
    (tmp_path / "file").write_text("1")
    (tmp_path / "site-packages").mkdir()
    for command in (["init", "-q"], ["add", "file"], ["commit", "-qm", "first"], ["tag", "v1"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert commit(tmp_path) == head.stdout.strip()
    commit.cache_clear()
    (tmp_path / "file").write_text("2")
    assert commit(tmp_path) == f"{head.stdout.strip()}-dirty"
    assert commit(tmp_path / "site-packages") is None
