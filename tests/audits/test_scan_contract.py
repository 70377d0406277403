"""Submissions written for the harness are read under its contract."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from audits.findings import Finding
from audits.judge import scan_path

Scan = Callable[..., list[Finding]]

PROGRAM = """
import torch
import torch.nn.functional as F

from harness.program import Program
from reference_model.artifact import load_artifact

program = Program.from_environment()
model, _ = load_artifact(program.artifact, device=program.device)
stream = torch.from_numpy(program.tokens)
optimizer = torch.optim.AdamW(model.parameters())


def learn(start):
    model(stream[start : start + 64], stream[start + 1 : start + 65]).backward()
    optimizer.step()


def score(start):
    y = stream[start + 1 : start + 65]
    return F.cross_entropy(model(stream[start : start + 64]), y).item()


nats = 0.0
{body}
program.print_headline(nats, len(stream) - 1)
"""
PREDICTOR = """
from reference_model.artifact import load_artifact


class Mine:
    def __init__(self, context):
        self.model, _ = load_artifact(context.artifact)

    def log_probs(self, windows, scored):
        return self.model(windows)

    def adapt(self, tokens):
        pass


def build(context):
    return Mine(context)
"""


def manifest(**harness: str) -> str:
    return json.dumps({"name": "mine", "harness": {"protocol": 1, **harness}})


def failed(findings: list[Finding]) -> set[str]:
    return {one.rule for one in findings if one.status == "fail"}


@pytest.mark.parametrize(
    ("body", "rules"),
    [
        ("for s in range(0, 8192, 64):\n    nats += score(s)\n    learn(s)", set()),
        (
            "for s in range(0, 8192, 64):\n    learn(s)\n"
            "for s in range(0, 8192, 64):\n    nats += score(s)",
            {"ORDER-2"},
        ),
    ],
    ids=["score first", "trained first"],
)
def test_a_program_is_judged_by_its_headline(scan: Scan, body: str, rules: set[str]) -> None:
    """Its tokens are the validation stream, its headline is the score."""
    files = {
        "evaluate.py": PROGRAM.format(body=body),
        "submission.json": manifest(program="evaluate.py"),
    }

    assert failed(scan(files)) == rules


def test_a_predictor_is_driven(folder: Callable[..., Path]) -> None:
    """A score is recognised though the file itself only defines a class."""
    files = {"mine.py": PREDICTOR, "submission.json": manifest(predictor="mine.py:build")}
    (report,) = scan_path(folder(files)).files

    assert report.note == ""
    assert report.findings == ()


def test_helpers_of_a_native_program_are_no_surprise(scan: Scan) -> None:
    """The harness counts every file of a native submission; elsewhere a helper is mentioned."""
    program = "import helper\n" + PROGRAM.format(
        body="for s in range(0, 8192, 64):\n    nats += score(s)"
    )
    upstream = {"train_gpt.py": "import helper\n", "helper.py": "VALUE = 1\n"}
    assert [one.rule for one in scan(upstream)] == ["BUDGET-2"]

    native = {"evaluate.py": program, "submission.json": manifest(program="evaluate.py")}
    assert scan(native) == []
