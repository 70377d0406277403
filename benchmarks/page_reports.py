"""The command `python -m benchmarks.page_reports NAME=RECORD_FOLDER...`: the screens that the pages
in docs/ show, from records that are run now.

Each folder is evaluated as a maintainer would, under the path `records/FOLDER`, and the `summary`
of its report.json is kept as `docs/driven/NAME.json`; `python -m docs.screens` then brings the
pages in step. Needs Linux, and the folders, out of a clone of the contest's repository:

    legal      #549 at b08d72a96, records/.../2026-03-23_LeakyReLU_LegalTTT_ParallelMuon
    violation  #518 at e246baab6, records/.../2026-03-23_11L-CosineTTT
"""

import contextlib
import json
import shutil
import sys
import tempfile
from pathlib import Path

from harness.commands.evaluate import main as evaluate

KEPT = Path(__file__).resolve().parents[1] / "docs" / "driven"


def summary_of(folder: Path) -> str:
    """Of an evaluation from a folder that holds nothing else."""
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        record = Path("records", folder.name)
        shutil.copytree(folder, record)
        evaluate([str(record), "--out", "report"])
        report = json.loads(Path("report", "report.json").read_text(encoding="utf-8"))
    summary = json.dumps(report["summary"], indent=2, ensure_ascii=False) + "\n"
    return summary.replace(f"{place}/", "/home/you/")


def main(arguments: list[str]) -> int:
    KEPT.mkdir(exist_ok=True)
    for argument in arguments:
        name, _, folder = argument.partition("=")
        summary = summary_of(Path(folder).resolve())
        (KEPT / f"{name}.json").write_text(summary, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
