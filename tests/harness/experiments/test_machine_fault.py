"""Whose fault it was that a base run gave no score."""

import re
import tomllib
from pathlib import Path

import pytest

from harness.configure.run_spec import RunSpec
from harness.errors import NotIsolated, SandboxError, SubmissionError
from harness.experiments.machine_fault import PROVIDED, require_machine
from harness.protocol.confinement import NOT_WHOLE
from harness.protocol.job import Outcome, RunState
from harness.streams.vocabulary import Vocabulary

ROOT = Path(__file__).resolve().parents[3]


BYTES = Vocabulary(260, "plain bytes", None)
NEVER = Outcome(RunState.NOT_STARTED, 0.0, "SystemExit: IMPORTED pyarrow")


def spec_of(folder: Path, *files: str) -> RunSpec:
    return RunSpec(folder, "train_gpt.py", files or None, {}, BYTES, {})


def absent(name: str) -> Outcome:
    return Outcome(RunState.FAILED, 1.0, f"ModuleNotFoundError: No module named '{name}'")


def test_all_that_our_installation_brings_is_provided() -> None:
    """The list follows pyproject.toml."""
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {re.match(r"[\w-]+", text)[0] for text in dependencies} <= PROVIDED


@pytest.mark.parametrize(
    "outcome", [absent("brotli"), absent("torch"), Outcome(RunState.NOT_STARTED, 0.0, "no memory")]
)
def test_what_is_ours_to_provide_is_not_the_scripts_fault(tmp_path: Path, outcome: Outcome) -> None:
    """The machine is named, with the cause."""
    with pytest.raises(SandboxError, match=r"brotli|torch|no memory"):
        require_machine(outcome, spec_of(tmp_path))


def test_a_machine_that_isolates_in_part_is_told_what_can_be_done(tmp_path: Path) -> None:
    """Nothing was started; the way to accept less is named."""
    outcome = Outcome(RunState.NOT_STARTED, 0.0, f"{NOT_WHOLE}: this machine gives it no network")
    with pytest.raises(NotIsolated, match="no network") as told:
        require_machine(outcome, spec_of(tmp_path))
    assert "--isolation partial" in told.value.cure


@pytest.mark.parametrize(
    "outcome",
    [
        absent("fused_golf_ops"),
        absent("torch.of_tomorrow"),
        Outcome(RunState.FAILED, 1.0, "ValueError: brotli"),
        Outcome(RunState.ENDED, 1.0),
    ],
)
def test_what_the_script_asks_for_is_its_own(tmp_path: Path, outcome: Outcome) -> None:
    """Its failure is told in its own words."""
    require_machine(outcome, spec_of(tmp_path))


@pytest.mark.parametrize("name", ["pyarrow.py", "numpy/__init__.py", "tokenize.py"])
def test_a_folder_that_hides_a_module_is_told_so(tmp_path: Path, name: str) -> None:
    """The cure is in the folder, not in the machine; a lone script has no such folder."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("")
    hidden = name.partition("/")[0]
    with pytest.raises(SubmissionError, match=f"holds {hidden}") as told:
        require_machine(NEVER, spec_of(tmp_path))
    assert told.value.cure.startswith(f"rename {hidden}")
    with pytest.raises(SandboxError):
        require_machine(NEVER, spec_of(tmp_path, "train_gpt.py"))


def test_other_files_hide_nothing(tmp_path: Path) -> None:
    """Neither a module of its own, nor data by the name of one."""
    for name in ("model.py", "pyarrow.json", "torch"):
        (tmp_path / name).write_text("")
    with pytest.raises(SandboxError):
        require_machine(NEVER, spec_of(tmp_path))
