"""The public face, as another program calls it."""

import ast
import sys
from pathlib import Path

import pytest

import harness
from harness.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]


def test_wrong_use_is_an_error_of_the_tree_and_no_exit(tmp_path: Path) -> None:
    """Each before anything runs."""
    from harness import evaluate

    script = tmp_path / "train_gpt.py"
    script.write_text("print('val_loss:1.0 val_bpb:1.0')\n")
    for wrong in ({"profile": "lenient"}, {"jobs": 0}, {"quick": True, "all": True}, {"data": "."}):
        with pytest.raises(UsageError):
            evaluate(script, **wrong, out=tmp_path / "out")
    with pytest.raises(UsageError, match="no such file or folder"):
        evaluate(tmp_path / "nowhere")
    assert not (tmp_path / "out").exists()


def test_evaluate_is_the_function_whatever_was_imported_before() -> None:
    """A module of that name exists for `python -m` alone: whoever imported it would shadow it."""
    assert callable(harness.evaluate)
    assert "harness.evaluate" not in sys.modules
    for folder in ("harness", "tests", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            named = {
                node.module
                for node in ast.walk(ast.parse(path.read_bytes()))
                if isinstance(node, ast.ImportFrom)
            }
            assert "harness.evaluate" not in named, path


def test_the_package_itself_is_light() -> None:
    """It is imported beside untrusted code; a name that it does not have is an AttributeError."""
    with pytest.raises(AttributeError, match="nothing_of_that_name"):
        _ = harness.nothing_of_that_name
