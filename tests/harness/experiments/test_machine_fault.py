"""Whose fault it was that a base run gave no score."""

import re
import tomllib
from pathlib import Path

import pytest

from harness.errors import SandboxError
from harness.experiments.machine_fault import PROVIDED, require_machine
from harness.protocol.job import Outcome, RunState

ROOT = Path(__file__).resolve().parents[3]


def absent(name: str) -> Outcome:
    return Outcome(RunState.FAILED, 1.0, f"ModuleNotFoundError: No module named '{name}'")


def test_all_that_our_installation_brings_is_provided() -> None:
    """The list follows pyproject.toml."""
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {re.match(r"[\w-]+", text)[0] for text in dependencies} <= PROVIDED


@pytest.mark.parametrize(
    "outcome", [absent("brotli"), absent("torch"), Outcome(RunState.NOT_STARTED, 0.0, "no memory")]
)
def test_what_is_ours_to_provide_is_not_the_scripts_fault(outcome: Outcome) -> None:
    """The machine is named, with the cause."""
    with pytest.raises(SandboxError, match=r"brotli|torch|no memory"):
        require_machine(outcome)


@pytest.mark.parametrize(
    "outcome",
    [
        absent("fused_golf_ops"),
        absent("torch.of_tomorrow"),
        Outcome(RunState.FAILED, 1.0, "ValueError: brotli"),
        Outcome(RunState.ENDED, 1.0),
    ],
)
def test_what_the_script_asks_for_is_its_own(outcome: Outcome) -> None:
    """Its failure is told in its own words."""
    require_machine(outcome)
