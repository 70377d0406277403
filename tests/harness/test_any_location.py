"""The product works wherever it lies."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from contest_records import LEGAL

from reference_model.data.folder import DataFolder

ROOT = Path(__file__).resolve().parents[2]


def test_a_checkout_and_its_packages_may_lie_below_tmp_in_a_path_with_spaces(
    tmp_path: Path, data_folder: DataFolder
) -> None:
    """With no environment of its own, and all packages found through PYTHONPATH: a record is driven
    from another folder, isolated as ever, also where its papers cannot be read.
    """
    place = tmp_path / "with space"
    for package in ("audits", "harness", "reference_model"):
        shutil.copytree(
            ROOT / package, place / "checkout" / package, ignore=shutil.ignore_patterns("*.pyc")
        )
    (place / "packages").symlink_to(sysconfig.get_path("purelib"))
    record = LEGAL["sliding window"].write(place / "a record")
    (record / "submission.json").write_text('{"name": "cut off')
    (record / "train.log").write_bytes(b"\xff step:1/2 val_loss:1.0")
    bare = Path(sys.base_prefix) / "bin" / f"python{sysconfig.get_python_version()}"
    path = os.pathsep.join(str(place / name) for name in ("checkout", "packages"))
    options = ["--quick", "--no-static", "--out", "out", "--tokenizer", data_folder.tokenizer]
    done = subprocess.run(
        [bare, "-m", "harness.evaluate", record.name, *options],
        cwd=place,
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (place / "out" / "report.json").exists(), done.stderr
    report = json.loads((place / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["failure"] is None
    assert report["rules"]["SOURCE-1"]["status"] == "pass"
    assert report["driven"]["reconstruction"] < 1e-6
