"""Every folder under submissions/ gets what its manifest says, whatever it and its files are
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
from harness.report.model import SCHEMA_PATH
from harness.verdict.decide import EXIT_CODES, REQUIRED_RULES, Verdict
from reference_model.data.folder import DataFolder

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = sorted(ROOT.glob("submissions/*/*/submission.json"))
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
    manifest: Path, data_folder: DataFolder, artifact: Path, tmp_path: Path
) -> None:
    """Legal comes out CLEAN; an exploit VIOLATION, by its declared rule, at its declared level."""
    folder, expect = disguised(manifest, artifact, tmp_path)
    out = tmp_path / "report"

    code = main([str(folder), "--data", str(data_folder.root), "--out", str(out), "--no-static"])
    report = json.loads((out / "report.json").read_text())

    jsonschema.validate(report, json.loads(SCHEMA_PATH.read_text()))
    assert (report["verdict"], report["failure"]) == (expect["verdict"], None), report["rules"]
    assert code == EXIT_CODES[Verdict(expect["verdict"])]
    if "rule" in expect:
        status = report["rules"][expect["rule"]]
        assert (status["status"], status["level"]) == ("fail", expect["level"]), report["rules"]
    else:
        assert {report["rules"][rule]["status"] for rule in REQUIRED_RULES} == {"pass"}
        assert report["rules"]["SOURCE-1"]["status"] == "pass"


def test_every_exploit_names_its_rule_and_every_legal_folder_none() -> None:
    """Each manifest declares its verdict; exploits also which rule breaks, and at which level."""
    assert len(MANIFESTS) >= 9
    for manifest in MANIFESTS:
        expect = json.loads(manifest.read_text())["expect"]
        exploit = manifest.parts[-3] == "exploits"

        assert expect["verdict"] == ("VIOLATION" if exploit else "CLEAN")
        assert exploit == ("rule" in expect and "level" in expect)
