"""The command `python -m benchmarks.page_reports NAME=RECORD_FOLDER...`: the reports that the pages
in docs/ show, from records that are run now.

Each folder is evaluated as a maintainer would, under the path `records/FOLDER`, and its report.json
is kept as `docs/driven/NAME.json`; `python -m docs.screens` then brings the pages in step. Needs
Linux, and the folders, out of a clone of the contest's repository:

    legal      #549 at b08d72a96, records/.../2026-03-23_LeakyReLU_LegalTTT_ParallelMuon
    violation  #518 at e246baab6, records/.../2026-03-23_11L-CosineTTT
"""

import contextlib
import re
import shutil
import sys
import tempfile
from pathlib import Path

from harness.commands.evaluate import main as evaluate

KEPT = Path(__file__).resolve().parents[1] / "docs" / "driven"
EXCERPT = re.compile(r'"excerpt": "(?:[^"\\]|\\.)*"')  # of the record's code, which is not ours
CLONE = "/home/ada/parameter-golf"  # in place of this machine's paths


def report_of(folder: Path) -> str:
    """report.json of an evaluation from a folder that holds nothing else."""
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        record = Path("records", folder.name)
        shutil.copytree(folder, record)
        evaluate([str(record)])
        (report,) = Path("reports").glob("*/report.json")
        return EXCERPT.sub('"excerpt": ""', report.read_text("utf-8")).replace(place, CLONE)


def main(arguments: list[str]) -> int:
    KEPT.mkdir(exist_ok=True)
    for argument in arguments:
        name, _, folder = argument.partition("=")
        report = report_of(Path(folder).resolve())
        (KEPT / f"{name}.json").write_text(report, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
