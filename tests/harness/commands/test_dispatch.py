"""scorefirst: one name for every command; an answer about itself loads nothing heavy."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from audits.catalogue import RULES
from audits.tool import version
from harness.commands import dispatch

HEAVY = {"torch", "scipy", "pyarrow", "triton"}
ASK = """
import atexit, sys
from {module} import main
atexit.register(lambda: print(*sys.modules))
main(["{option}"])
"""


@pytest.fixture
def says(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs scorefirst: its exit code, and what it said."""

    def run(*words: str) -> tuple[int, str]:
        try:
            code = dispatch.main(words)
        except SystemExit as stopped:  # argparse
            code = int(stopped.code or 0)
        return code, "".join(capsys.readouterr())

    return run


@pytest.mark.parametrize("command", dispatch.COMMANDS)
def test_each_command_shows_the_name_that_it_was_called_by(command: str, says) -> None:
    """In its usage and in its examples."""
    code, said = says(command, "--help")
    assert code == 0 and said.startswith(f"usage: scorefirst {command} ")
    assert f"\n  scorefirst {command} " in said.partition("examples:")[2]


def test_its_own_help_lists_every_command_with_examples(says) -> None:
    """And --version says which one it is."""
    code, said = says("--help")
    assert code == 0 and "examples:" in said
    assert all(f"  {name} " in said for name in dispatch.COMMANDS)
    assert says("--version") == (0, f"scorefirst {version()}\n")


@pytest.mark.parametrize("words", [[], ["judge"], ["rules", "ORDER-99"]])
def test_what_is_no_command_is_refused(words: list[str], says) -> None:
    """Exit 2, with what there is."""
    code, said = says(*words)
    assert code == 2 and "scorefirst" in said


def test_rules_lists_and_explains(says) -> None:
    """All of them in a line each; one with its cases."""
    code, listed = says("rules")
    assert code == 0 and all(rule in listed for rule in RULES)
    code, said = says("rules", "order-2")
    assert code == 0 and said.startswith("ORDER-2 ") and "INVALID 1" in said


def test_an_exit_code_is_handed_on(tmp_path, says) -> None:
    """Nothing to scan is 3, from there too."""
    assert says("scan", str(tmp_path))[0] == 3


@pytest.mark.parametrize("option", ["--help", "--version"])
@pytest.mark.parametrize(
    "module", ["harness.commands.dispatch", "harness.commands.evaluate", "audits.scan"]
)
def test_an_answer_about_the_command_itself_loads_nothing_heavy(module: str, option: str) -> None:
    """It comes in a fraction of a second."""
    code = ASK.format(module=module, option=option)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "harness" in loaded or "audits" in loaded
    assert not loaded & HEAVY
