"""The bench that measures: what it composes runs and does what its answer says, and mutants differ
from their script in one place. A pair of it is driven, as every pair can be."""

import difflib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import libcst as cst
import pytest
import torch
import torch.nn.functional as F
from contest_records import LEGAL

from benchmarks.synthesize.cheats import CHEATS
from benchmarks.synthesize.compose import Axes, draws, files, write
from benchmarks.synthesize.mutants import scoring
from benchmarks.synthesize.mutants.harmless import HARMLESS
from benchmarks.synthesize.mutants.operator import Mutation, Operator, applied, n_sites
from benchmarks.synthesize.mutants.real_scripts import MUTATIONS
from benchmarks.synthesize.verify import make_data, verify
from reference_model.data.folder import DataFolder

SPACES = Axes(
    cheat="spaces counted twice",
    technique="plain chunks",
    settings="environment, dataclass",
    names="contest",
    sizes="contest",
    data="memmap",
    feed="random offsets",
    bytes="numpy",
    model="transformer",
    rule="written by hand",
    loop="steps",
    artifact="none",
    arithmetic="log_softmax, gather",
    sum="list mean",
    print="JSON",
    naming="plain",
    layout="one file",
)
# Each with axes that the others do not have.
ACTING = (
    replace(SPACES, cheat="training on validation", model="window MLP", settings="TOML file"),
    replace(SPACES, cheat="cache filled ahead", technique="n-gram cache", layout="lzma"),
    replace(SPACES, cheat="non-causal model", model="bigram table", layout="code folder"),
    replace(SPACES, cheat="scores clipped", settings="click", artifact="numpy file"),
)
SCRIPT = LEGAL["score-first TTT"].script


def test_the_same_seed_gives_the_same_pairs_and_every_cheat() -> None:
    """Scripts compile, and twins differ."""
    some = list(draws(7, len(CHEATS)))
    assert some == list(draws(7, len(CHEATS)))
    assert {axes.cheat for axes in some} == {*CHEATS}
    for axes in some:
        assert files(axes, True) != files(axes, False)


@pytest.mark.parametrize("axes", ACTING, ids=lambda axes: axes.cheat)
def test_a_cheat_prints_less_than_its_honest_twin(
    axes: Axes, data_folder: DataFolder, tmp_path: Path
) -> None:
    """Both run as they are, at sizes that end in a second."""
    make_data(tmp_path, data_folder)
    assert verify(axes, tmp_path).acts


@pytest.mark.parametrize("kind", [*MUTATIONS, *HARMLESS], ids=lambda kind: kind.name)
def test_an_operator_changes_one_place(kind: Mutation) -> None:
    """The rest of the script stays; what comes out is Python."""
    tree = cst.parse_module(SCRIPT)
    for site in range(min(1, n_sites(tree, kind.operator))):
        text = applied(tree, kind.operator, site).code
        compile(text, "train_gpt.py", "exec")
        matcher = difflib.SequenceMatcher(None, SCRIPT.splitlines(), text.splitlines(), False)
        spots = [code for code in matcher.get_opcodes() if code[0] != "equal"]
        several = kind.operator.everywhere or kind.name == "renamed local"
        assert spots and (len(spots) <= 2 or several)


def test_the_update_moves_in_front_of_the_score() -> None:
    """With the assignment that it needs."""
    (update,) = (m for m in MUTATIONS if m.name == "update before score")
    text = applied(cst.parse_module(SCRIPT), update.operator, 0).code
    body = text[text.index("def eval_val_ttt") :]
    assert body.index("last = min(") < body.index("adapt(args") < body.index("loss_sum +=")


@pytest.mark.parametrize(
    ("operator", "harmless"),
    [
        (scoring.NormaliseByHand, True),
        (scoring.GatherLogProbability, True),
        (scoring.FitTemperature, False),
        (scoring.FitClip, False),
        (scoring.HedgeAfterLoss, False),
        (scoring.BetterOfTwo, False),
        (scoring.HintTarget, False),
    ],
)
def test_rewritten_scores_are_the_same_or_less(operator: type[Operator], harmless: bool) -> None:
    """Less of random tokens than any code can, or the same of each."""
    tree = cst.parse_module(
        "def evaluate(logits, targets):\n"
        '    return F.cross_entropy(logits, targets, reduction="none")\n'
    )
    names: dict[str, Any] = {"F": F, "torch": torch}
    exec(applied(tree, operator, 0).code, names)
    dice = torch.Generator().manual_seed(1)
    logits = torch.randn(64, 16, generator=dice)
    targets = torch.randint(16, (64,), generator=dice)
    honest = F.cross_entropy(logits, targets, reduction="none")
    rewritten = names["evaluate"](logits, targets)
    assert torch.allclose(rewritten, honest, atol=1e-5) == harmless
    assert harmless or rewritten.mean() < honest.mean()


def test_a_pair_is_told_apart(evaluate: Callable, tmp_path: Path) -> None:
    """The cheat is proved under its rule, its twin is not accused."""
    verdicts = {}
    for cheating in (False, True):
        write(SPACES, cheating, tmp_path / str(cheating))
        done = evaluate(tmp_path / str(cheating), "--quick", "--no-static")
        verdicts[cheating] = (done.report["verdict"], done.status("BYTES-1"))
    assert verdicts[True] == ("VIOLATION", "fail")
    assert verdicts[False] == ("REVIEW", "pass")
