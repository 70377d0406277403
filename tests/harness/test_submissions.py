"""A folder under submissions/ gets what its manifest says, whatever it and its files are
called.

Each is copied under a random name, its code file renamed at random, the scanner switched off, so
that neither reading nor a name can decide. Scaled down for speed: a nano artifact and a short
stream, chunks in proportion; the recipes stay as declared.
"""

import json
import secrets
import shutil
from pathlib import Path

import jsonschema
import pytest

from harness.artifacts import REFERENCE
from harness.commands.evaluate import main
from harness.commands.replay import main as replay
from harness.commands.verify import main as verify
from harness.report.model import SCHEMA_PATH
from harness.verdict.decide import EXIT_CODES, REQUIRED_RULES, Verdict
from reference_model.data.folder import DataFolder

ROOT = Path(__file__).resolve().parents[2]
DRIVEN = (  # one of each engine, programs, the templates; `scorefirst gallery` runs all of them
    "exploits/hashed_ngram",
    "exploits/hashed_ngram_program",
    "exploits/pre_eval_ttt",
    "exploits/two_pass",
    "exploits/update_before_score",
    "exploits/weights_written_in_inference_mode",
    "legal/lora_per_document",
    "legal/ngram_backoff",
    "legal/score_first_ttt",
    "legal/seed_537",
    "legal/sliding_window",
    "template/predictor",
    "template/program",
)
MANIFESTS = [ROOT / "submissions" / name / "submission.json" for name in DRIVEN]
CHUNK_DIVISOR = 4  # 65,536 tokens in the real table, 16,384 here


def disguised(manifest: Path, artifact: Path, parent: Path) -> tuple[Path, dict]:
    """A renamed copy of the folder, and what its manifest expects."""
    folder = parent / secrets.token_hex(6)
    shutil.copytree(manifest.parent, folder)
    content = json.loads(manifest.read_text())
    native = content["harness"]
    native["settings"]["chunk_tokens"] //= CHUNK_DIVISOR
    if "buckets" in native["settings"]:
        native["settings"]["buckets"] //= CHUNK_DIVISOR
    for kind in ("program", "predictor"):
        if kind in native:
            file, colon, factory = native[kind].partition(":")
            name = f"{secrets.token_hex(6)}.py"
            (folder / file).rename(folder / name)
            native[kind] = name + colon + factory
    if native["artifact"].startswith(REFERENCE):
        native["artifact"] = "weights.bin"
        shutil.copy(artifact, folder / "weights.bin")
    expect = content.pop("expect")
    content["name"] = folder.name
    (folder / "submission.json").write_text(json.dumps(content))
    return folder, expect


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.parent.name)
def test_each_submission_gets_the_verdict_rule_and_level_of_its_manifest(
    manifest: Path,
    data_folder: DataFolder,
    artifact: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Legal comes out CLEAN; an exploit VIOLATION, by its declared rule, at its declared level. The
    evidence fits its report, and what a referee proved can be shown again.
    """
    folder, expect = disguised(manifest, artifact, tmp_path)
    out = tmp_path / "report"

    code = main(
        [
            str(folder),
            "--data",
            str(data_folder.root),
            "--out",
            str(out),
            "--no-static",
            "--seed=1337",
        ]
    )
    report = json.loads((out / "report.json").read_text())

    jsonschema.validate(report, json.loads(SCHEMA_PATH.read_text()))
    assert (report["verdict"], report["failure"]) == (expect["verdict"], None), report["rules"]
    assert code == EXIT_CODES[Verdict(expect["verdict"])]
    assert verify([str(out)]) == 0
    if expect.get("level") == "referee":
        _made_again(out, capsys)
    if "rules" in expect:
        status = report["rules"][expect["rules"][0]]
        assert (status["status"], status["level"]) == ("fail", expect["level"]), report["rules"]
    else:
        assert {report["rules"][rule]["status"] for rule in REQUIRED_RULES} == {"pass"}
        assert report["rules"]["SOURCE-1"]["status"] == "pass"


def _made_again(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same position and the same sum; another file of evidence is told from the true one."""
    capsys.readouterr()
    assert replay([str(out), "--finding", "NORM-1"]) == 0
    _, position, then, now, _ = capsys.readouterr().out.splitlines()[-5:]
    assert "position" in position
    assert then.removeprefix("  then:").strip() == now.removeprefix("  now:").strip()

    ledger = out / "main" / "ledger.jsonl"
    ledger.write_text(ledger.read_text().replace("SCORE", "score"))
    assert verify([str(out)]) == 1
    assert "main/ledger.jsonl: another file" in capsys.readouterr().out
