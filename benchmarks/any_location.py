"""The product from places where it is not usually put: below /tmp, in a path with spaces.

    python benchmarks/any_location.py [--under DIR] [--record FOLDER]

Copies the packages to `DIR/with space/checkout` (default: a new folder of the system's temporary
one) and drives from there, each from another working directory:

    by PYTHONPATH   the bare Python; checkout and installed packages through PYTHONPATH alone
    by environment  a virtual environment below the same folder, which sees those packages

Each drives submissions/template/program, expected CLEAN, and a record folder (--record; default:
that of the tests), of which only a finished run is expected. Prints verdicts and seconds, and exits
1 where one differs. The first program trains its artifact, which takes minutes.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "submissions" / "template" / "program"


@dataclass(frozen=True)
class Way:
    """How Python and the packages are found."""

    name: str
    python: Path
    environment: Mapping[str, str] = field(default_factory=dict)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--under", type=Path, help="folder to work in; kept")
    parser.add_argument("--record", type=Path, help="a record folder of your own")
    options = parser.parse_args()
    place = (options.under or Path(tempfile.mkdtemp())).absolute() / "with space"
    record = options.record or _record_of_the_tests(place / "a record")
    wrong = 0
    print("| found | submission | verdict | failure | seconds |\n|---|---|---|---|--:|", flush=True)
    for way in _ways(place, _copied(place / "checkout")):
        wrong += _driven(way, PROGRAM, place)["verdict"] != "CLEAN"
        wrong += _driven(way, record.absolute(), place)["failure"] is not None
    return 1 if wrong else 0


def _copied(checkout: Path) -> Path:
    """The packages without what was built beside them."""
    for package in ("audits", "harness", "reference_model"):
        shutil.copytree(ROOT / package, checkout / package, dirs_exist_ok=True)
    return checkout


def _record_of_the_tests(folder: Path) -> Path:
    sys.path.insert(0, str(ROOT / "tests" / "harness"))
    from contest_records import LEGAL

    shutil.rmtree(folder, ignore_errors=True)
    return LEGAL["sliding window"].write(folder)


def _ways(place: Path, checkout: Path) -> Sequence[Way]:
    packages = sysconfig.get_path("purelib")
    bare = Path(sys.base_prefix) / "bin" / f"python{sysconfig.get_python_version()}"
    home = place / "environment"
    venv.create(home, symlinks=True)
    (own,) = (home / "lib").glob("python*/site-packages")
    (own / "all.pth").write_text(f"{checkout}\n{packages}\n")
    return (
        Way("by PYTHONPATH", bare, {"PYTHONPATH": f"{checkout}{os.pathsep}{packages}"}),
        Way("by environment", home / "bin" / "python"),
    )


def _driven(way: Way, folder: Path, place: Path) -> dict[str, object]:
    """The report of one evaluation."""
    out = place / "reports" / f"{way.name} {folder.name}"
    command = [way.python, "-m", "harness.evaluate", folder, "--out", out, "--exit-zero"]
    inherited = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    started = time.monotonic()
    done = subprocess.run(
        command, env=inherited | way.environment, cwd=place, check=False, stdout=subprocess.DEVNULL
    )
    seconds = time.monotonic() - started
    report: dict[str, object] = {"verdict": f"exit {done.returncode}", "failure": "no report"}
    if (out / "report.json").exists():
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    print(f"| {way.name} | {folder.name} | {report['verdict']} | {report['failure']}", end="")
    print(f" | {seconds:.0f} |", flush=True)
    return report


if __name__ == "__main__":
    sys.exit(main())
