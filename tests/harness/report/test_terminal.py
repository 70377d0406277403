"""The screen."""

import pytest

from harness.report.terminal import render_terminal

LONG = " ".join(f"word{i}" for i in range(200))


def _screen(status: str) -> str:
    rule = {"status": status, "level": "black_box", "message": LONG, "title": "", "findings": []}
    return render_terminal(
        {
            "verdict": "REVIEW",
            "verdicts": {},
            "submission": {"name": "toy", "folder": "toy"},
            "score": None,
            "failure": None,
            "rules": {"CAUSAL-5": rule},
            "not_covered": ["a", "b"],
        }
    )


@pytest.mark.parametrize(("status", "whole"), [("fail", True), ("unknown", False), ("pass", False)])
def test_the_evidence_of_a_failure_is_never_cut(status: str, whole: bool) -> None:
    """What is held against somebody is shown to its last word; other rules get four lines."""
    assert ("word199" in _screen(status)) == whole
