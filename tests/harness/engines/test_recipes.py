"""Each recipe of the seeds is declared by a folder under submissions/, with the seed's numbers."""

import ast
import json
from pathlib import Path

import pytest

from harness.engines.ngram_backoff import NgramSettings
from harness.engines.recipes import RECIPES, TTTSettings
from harness.submission import DEFAULTS, read_submission

SUBMISSIONS = Path(__file__).resolve().parents[3] / "submissions"

# By the seed's pull request: its folder, and what the seed's own text says of the adaptation.
LEGAL = {
    549: ("score_first_ttt", {"lr": 0.002, "momentum": 0.9, "epochs": 3, "freeze_blocks": 0}),
    754: ("record_754", {"lr": 0.002, "momentum": 0.9, "epochs": 3, "freeze_blocks": 0}),
    537: (
        "seed_537",
        {
            "epochs": 30,
            "freeze_blocks": 2,
            "mlp_out_factor": 3.0,
            "mlp_in_factor": 0.5,
            "cosine_in_chunk": True,
        },
    ),
    1185: ("ngram_backoff", {"epochs": 3, "min_order": 2, "max_order": 9}),
}


def declared(folder: str) -> TTTSettings:
    """The settings that the engine ends up with."""
    settings = dict(read_submission(SUBMISSIONS / "legal" / folder).settings)
    for name in DEFAULTS:
        del settings[name]
    if "over" in settings:
        return NgramSettings(**settings)
    return RECIPES[settings.pop("recipe")]


@pytest.mark.parametrize("seed", LEGAL)
def test_a_legal_seed_is_declared_with_its_numbers(seed: int) -> None:
    """And is expected to come out clean; `test_harness_submissions` evaluates it."""
    folder, numbers = LEGAL[seed]
    settings = vars(declared(folder))
    assert {name: settings[name] for name in numbers} == numbers
    manifest = json.loads((SUBMISSIONS / "legal" / folder / "submission.json").read_text())
    assert manifest["expect"] == {"verdict": "CLEAN"}
    assert f"#{seed}" in manifest["blurb"]


def test_the_fine_tuning_of_518_is_expected_to_break_order_2() -> None:
    """AdamW at 0.0005, factors 3 and 0.5, before anything is scored."""
    folder = SUBMISSIONS / "exploits" / "pre_eval_ttt"
    manifest = json.loads((folder / "submission.json").read_text())
    assert manifest["expect"]["verdict"] == "VIOLATION"
    assert manifest["expect"]["rules"] == ["ORDER-2"]
    assert manifest["harness"]["settings"]["lr"] == 0.0005
    assert "#518" in manifest["blurb"]
    numbers = {n.value for n in ast.walk(ast.parse((folder / "evaluate.py").read_text()))
               if isinstance(n, ast.Constant)}  # fmt: skip
    assert {3.0, 0.5, "mlp_down_bank", "mlp_up_bank"} <= numbers
