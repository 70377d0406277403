"""The package as a stranger has it: installed into a fresh environment, used from another folder.

    python benchmarks/fresh_install.py [--with-dependencies] [--under DIR]

Builds and installs scorefirst from a copy of the tracked files with pip; the packages that it needs
are those of this Python, or, --with-dependencies, fetched by pip (minutes, gigabytes). Then, in a
folder whose files have the names of modules and must not be imported:

    scorefirst --version, scan, rules, evaluate    on a copy of submissions/template/program
    python                                         from harness import evaluate, scan
    mypy                                           on a caller, where mypy is installed

Prints what each did and the seconds it took; exits 1 where one went wrong. The first evaluation
trains its artifact.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TRAPS = ("argparse", "json", "numpy", "platformdirs", "reference_model", "torch", "tqdm", "typing")
LIBRARY = """
import harness, json, jsonschema
from importlib.resources import files
from pathlib import Path
from harness import evaluate, scan

assert "site-packages" in harness.__file__, harness.__file__
report = evaluate("predictor", out="by library")
schema = json.loads(files("harness").joinpath("report/report.schema.json").read_text())
jsonschema.validate(report.to_json(), schema)
found = scan("predictor")
schema = json.loads(files("audits").joinpath("schemas/scan.schema.json").read_text())
jsonschema.validate(found.to_json(), schema)
assert files("audits").joinpath("corpus/page.html").is_file()
print(report.verdict, found.failed)
"""
CALLER = """
from typing import assert_type
from audits.library import Scan
from harness import evaluate, scan
from harness.report.model import Report
assert_type(evaluate("folder", seed=7), Report)
assert_type(scan("folder"), Scan)
"""


@dataclass
class Install:
    """A fresh environment, and the folder that it is used from."""

    bin: Path
    place: Path
    wrong: int = 0

    def check(
        self, expected: str, *command: str, code: int = 0, cwd: str = ".", shown: str = ""
    ) -> None:
        """Runs a command of the environment and looks for a text in what it says."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        environment["SCOREFIRST_CACHE"] = str(self.place.parent / "cache")
        started = time.monotonic()
        done = subprocess.run(
            [self.bin / command[0], *command[1:]],
            cwd=self.place / cwd,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        well = done.returncode == code and expected in said
        self.wrong += not well
        seconds = time.monotonic() - started
        print(f"| {shown or ' '.join(command)} | {expected if well else 'WRONG'} | {seconds:.1f} |")
        if not well:
            print(f"exit {done.returncode}:\n{said}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--with-dependencies", action="store_true", help="fetched by pip")
    parser.add_argument("--under", type=Path, help="folder to work in; kept")
    options = parser.parse_args()
    under = (options.under or Path(tempfile.mkdtemp())).absolute()
    started = time.monotonic()
    install = Install(_installed(under, options.with_dependencies), _place(under / "with space"))
    print(f"| command | says | seconds |\n|---|---|--:|\n| pip install | | "
          f"{time.monotonic() - started:.1f} |")  # fmt: skip
    _use(install)
    sprung = sorted(path.name for path in install.place.glob("*.imported"))
    print(f"imported from the working directory: {', '.join(sprung) or 'nothing'}")
    return 1 if install.wrong or sprung else 0


def _use(install: Install) -> None:
    install.check("scorefirst 0", "scorefirst", "--version")
    install.check("examples:", "scorefirst", "evaluate", "--help")
    install.check("ORDER-2", "scorefirst", "rules", "ORDER-2")
    install.check("No known violation found", "scorefirst", "scan", "program")
    install.check("CLEAN", "scorefirst", "evaluate", "program")
    install.check("no such file", "scorefirst", "evaluate", "nowhere", code=2)
    install.check("CLEAN False", "python", "-P", "-c", LIBRARY, shown="from harness import ...")
    if find_spec("mypy"):  # here; --with-dependencies fetches it too
        (install.place / "types").mkdir()
        (install.place / "types" / "caller.py").write_text(CALLER)
        command = ("-P", "-m", "mypy", "--follow-imports=silent", "--strict", "caller.py")
        install.check("Success", "python", *command, cwd="types", shown="mypy --strict caller.py")


def _installed(under: Path, with_dependencies: bool) -> Path:
    """The folder of the environment's commands."""
    checkout, home = under / "checkout", under / "environment"
    tracked = subprocess.check_output(["git", "-C", ROOT, "ls-files", "-z"], text=True)
    for name in filter(None, tracked.split("\0")):  # what was built beside them is not packed
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    venv.create(home, with_pip=True, symlinks=True)
    pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", checkout]
    if with_dependencies:
        pip.append("mypy")
    else:
        (own,) = (home / "lib").glob("python*/site-packages")
        (own / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        pip.append("--no-deps")
    subprocess.run(pip, check=True)
    return home / "bin"


def _place(place: Path) -> Path:
    """A folder with two submissions and with files that tell when they were imported."""
    for kind in ("program", "predictor"):
        template = ROOT / "submissions" / "template" / kind
        shutil.copytree(template, place / kind, dirs_exist_ok=True)
    for name in TRAPS:
        trap = f"open({str(place / f'{name}.imported')!r}, 'w').close()\n"
        (place / f"{name}.py").write_text(trap)
    return place


if __name__ == "__main__":
    sys.exit(main())
