"""Laws of a whole run on real shards: what is witnessed, what fails, what a certificate holds.

One run of a command (two processes, gloo) is shared by the first test's assertions; the others run
scripts of a second in one pool.
"""

import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from whole_scripts import CHEATS, KILLED, SCRIPT

from audits.contests import load_contest
from harness.certificate.account import Scope, account
from harness.certificate.ledger import Ledger
from harness.checks.status import Status
from harness.commands.verify import main as verify
from harness.configure.record_script import read_record
from harness.errors import SubmissionError, UsageError
from harness.full_run import FullRun
from harness.options import Options
from harness.protocol.confinement import IsolationAsked
from harness.sandbox.pool import Pool
from harness.verdict.table import RuleStatus, verdict
from reference_model.data.folder import DataFolder


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(1) as made:
        yield made


@pytest.fixture
def whole(pool: Pool, data_folder: DataFolder, tmp_path: Path) -> Callable[..., FullRun]:
    """A script on the test's own shards, run and accounted for."""

    def run(text: str, **options: object) -> FullRun:
        script = tmp_path / "record" / "train_gpt.py"
        script.parent.mkdir(exist_ok=True)
        script.write_text(text, encoding="utf-8")
        asked = Options(script, tmp_path / "out", 1, isolation=IsolationAsked.PARTIAL, full=True)
        asked = replace(asked, data=data_folder, **options)
        subject = read_record(script)
        told = subject.whole(False, asked.told, asked.artifact, asked.eval_only)
        limits = load_contest("parameter_golf").limits
        made = FullRun(asked, subject, told, data_folder, limits, pool)
        made.run()
        return made

    return run


def judged(run: FullRun) -> dict[str, RuleStatus]:
    return verdict(*run.tables)


def test_two_processes_on_real_shards_make_a_certificate(evaluate, data_folder, tmp_path) -> None:
    """Every target of the shard once, score first, summed to the printed number; the certificate
    follows from the ledger, wherever it lies, and not from one with another byte. It is no CLEAN.
    """
    folder = tmp_path / "record"
    folder.mkdir()
    (folder / "train_gpt.py").write_text(SCRIPT, encoding="utf-8")
    data = str(data_folder.root)
    found = evaluate(folder, "--full", "--data", data, "--ranks", "2", "--no-static")
    certificate = found.report["certificate"]
    assert certificate["witnessed"] and certificate["ranks"] == 2, found.screen
    assert found.report["verdict"] == "REVIEW" and "CAUSAL-1" not in found.report["rules"]
    held = ("ORDER-1", "ORDER-2", "ORDER-7", "PASS-1", "PASS-3", "NORM-1", "BYTES-1")
    assert {rule: found.status(rule) for rule in held} == dict.fromkeys(held, "pass")
    assert found.status("BUDGET-1") == found.status("BUDGET-4") == "pass"
    account_of = certificate["account"]
    assert account_of["tokens"] == account_of["modes"]["inference_mode"]
    assert certificate["sizes"]["artifact"] == "final_model.ptz"
    assert not found.report["driven"]["changes"]
    assert verify([str(found.out)]) == 0
    part = found.out / "ledger" / "scores-000000.parquet"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for path in part.parent.iterdir():
        (elsewhere / path.name).write_bytes(path.read_bytes())
    changed = bytearray(part.read_bytes())
    changed[len(changed) // 2] ^= 1
    part.write_bytes(changed)
    assert verify([str(found.out)]) == 1
    assert verify([str(found.out), "--ledger", str(elsewhere)]) == 0
    told = found.out / "report.json"
    told.write_text(told.read_text().replace('"unequal": 0', '"unequal": 1'))
    assert verify([str(found.out), "--ledger", str(elsewhere)]) == 1


@pytest.mark.parametrize("broken", CHEATS)
def test_a_cheat_fails_by_its_rule_at_full_size(broken: tuple[str, ...], whole) -> None:
    """The same script with a line more for each rule; no other rule fails beside them."""
    rules = judged(whole(CHEATS[broken]))
    failed = [name for name, status in rules.items() if status.status is Status.FAIL]
    assert tuple(failed) == broken


def test_a_killed_run_leaves_a_ledger_up_to_there(whole, tmp_path: Path) -> None:
    """Readable, and of the chunks that were scored."""
    with pytest.raises(SubmissionError, match="no score was printed"):
        whole(KILLED)
    found = account(Ledger(tmp_path / "out" / "ledger"), Scope(16_383, 0))
    assert found.scores == found.tokens == 2 * 2048


def test_an_artifact_is_evaluated_alone_where_a_switch_says_so(whole, tmp_path: Path) -> None:
    """Nothing is trained before; a script without such a switch is refused with the reason."""
    kept, buffer = tmp_path / "submitted.ptz", io.BytesIO()
    shapes = {"emb.weight": (1024, 16), "out.weight": (1024, 16), "out.bias": (1024,)}
    torch.save({name: torch.zeros(shape) for name, shape in shapes.items()}, buffer)
    kept.write_bytes(zlib.compress(buffer.getvalue()))
    made = whole(SCRIPT, artifact=kept, eval_only=True)
    assert made.whole.witnessed and made.account.training_s == 0
    assert made.whole.sizes.artifact_bytes == kept.stat().st_size
    assert "BUDGET-3" not in judged(made)
    with pytest.raises(UsageError, match="cannot be told to evaluate alone"):
        whole(SCRIPT.replace("EVAL_ONLY", "QUIET"), artifact=kept, eval_only=True)
