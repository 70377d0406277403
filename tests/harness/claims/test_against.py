"""Statistics of claims: what contestants published comes out again, and a race has its target."""

import json
from pathlib import Path

import pytest
from paper_folders import write_folder

from audits.contests import load_contest
from harness.claims.against import Runs, compare
from harness.claims.checks import check_claims
from harness.claims.reading import read_claims
from harness.claims.said import lines
from harness.claims.welch import reaches, welch, without_each
from harness.commands.claims import FAILED, HOLD, MISUSE, OPEN, main

GOLF = load_contest("parameter_golf")
# submission.json of #1185 and of #1019, which it claims to beat: nats per token.
NEW = (1.62740282, 1.62853112, 1.62612388)
SOTA = (1.88276292, 1.88156874, 1.88220393)


def test_a_published_test_comes_out_again() -> None:
    """#1185: t = -328.3, df = 2.93; #1855 against the rerun in #1868: p = 0.355 from 3 + 3."""
    claimed = welch(NEW, SOTA, "nats per token")
    close = welch((1.05989, 1.06125, 1.06209), (1.06083, 1.06091, 1.06249), "bits per byte")

    assert claimed.t == pytest.approx(-328.29, abs=0.01)
    assert claimed.freedom == pytest.approx(2.93, abs=0.005)
    assert close.p == pytest.approx(0.355, abs=0.002)


def test_a_margin_has_to_be_beaten_too() -> None:
    """A gain of half the margin is real, and no record by the margin."""
    old = (1.1000, 1.1001, 1.0999)
    new = tuple(value - 0.0025 for value in old)
    plain, beyond = welch(new, old, "x"), welch(new, old, "x", 0.005)

    assert plain.p is not None
    assert beyond.p is not None
    assert plain.p < 1e-4 < 0.99 < beyond.p
    assert plain.interval == beyond.interval
    assert plain.difference == pytest.approx(-0.0025)


def test_what_hangs_on_one_run_shows_without_it() -> None:
    """The run without which the gain is gone."""
    p = without_each((1.05, 1.10, 1.11), (1.10, 1.12, 1.11), "x")

    assert p[0] is not None
    assert all(other is None or other < p[0] for other in p[1:])


def test_too_few_or_equal_runs_have_no_p() -> None:
    """And say why."""
    assert welch((1.0,), SOTA, "x").why
    assert welch((1.0, 1.0), (2.0, 2.0), "x").why
    assert reaches((3.2,), 3.28) is None


def test_a_loss_a_token_is_compared_over_equal_tokens_alone() -> None:
    """Bits per byte always are."""
    one = Runs("new", (2.3, 2.31), (1.06, 1.061), 47_851_520)
    other = Runs("old", (2.8, 2.81), (1.08, 1.081), 40_540_160)
    compared = compare(one, other, GOLF)

    assert {(test.unit, test.margin) for test in compared.tests} == {
        ("nats per byte", 0.0),
        ("nats per byte", 0.005),
    }
    assert len(compared.notes) == 1


RACE = """\
import torch
print0(f"step:{step}/{train_steps} val_loss:{val_loss:.4f} train_time:{ms:.0f}ms")
====================================================================================================
Running PyTorch 2.10.0+cu128 compiled for CUDA 12.8
step:0/1750 val_loss:10.8258 train_time:0ms step_avg:0.02ms
step:1625/1750 val_loss:3.3012 train_time:139520ms step_avg:85.86ms
step:1750/1750 val_loss:LOSS train_time:150290ms step_avg:85.88ms
"""


def test_a_race_to_a_loss_is_a_contest_file(tmp_path: Path) -> None:
    """No bits per byte, no artifact: the last loss of each run, its time, and the target."""
    contest = load_contest("modded_nanogpt")
    for number, loss in enumerate(("3.2781", "3.2775", "3.2790", "3.2779")):
        (tmp_path / f"{number}.txt").write_text(RACE.replace("LOSS", loss), encoding="utf-8")
    (tmp_path / "README.md").write_text("# A record of 150.3 s\n", encoding="utf-8")
    claims = read_claims(tmp_path, contest)
    found = check_claims(claims, contest)
    shown = "\n".join(lines(claims, contest, found, "strict", None))

    assert [log.value("train_s") for log in claims.logs] == [pytest.approx(150.29)] * 4
    assert {log.value("steps") for log in claims.logs} == {1750}
    assert {one.rule for one in found} == {"PACKAGE-1"}
    assert "of 4 runs, to be at most 3.28: p = 0.00" in shown


def test_the_command_says_it_with_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 where nothing contradicts; 3 for a person; 2 for a wrong word; one object with --json."""
    honest = write_folder(tmp_path / "honest")
    odd = write_folder(tmp_path / "odd", declared={"val_bpb": 0.9})

    assert main([str(honest), "--against", "1.1194,1.1200,1.1189"]) == HOLD
    assert "one-sided Welch" in capsys.readouterr().out
    assert main([str(odd)]) == OPEN
    assert "WARN    PACKAGE-4" in capsys.readouterr().out
    assert main([str(tmp_path / "no")]) == MISUSE
    assert main([str(honest), "--against", "much"]) == MISUSE
    capsys.readouterr()
    assert main([str(honest), "--against", str(odd), "--json"]) == HOLD
    shown = json.loads(capsys.readouterr().out)
    assert len(shown["logs"]) == 3
    assert shown["against"]["tests"]
    assert FAILED == 1
