"""One submission evaluated by a process of its own, many of them side by side, and none twice.

Read by the commands beside it; not a command itself.

Guarantees: the harness is called as a user calls it, with `python -m harness.evaluate`; what breaks
it is an outcome like the others; an evaluation that its folder already holds is not run again, so
whatever was interrupted goes on where it was. The harness is the one beside this file, whatever
else is installed, and paths among its options start there. Does not cover: what a verdict is worth.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
TOOL_FAILED = 2
INTERRUPTED = (130, 143)  # exit codes; below zero: killed
KEPT = "evaluation.json"

Item = TypeVar("Item")
Row = TypeVar("Row")


@dataclass(frozen=True)
class Failure:
    """A rule that failed."""

    rule: str
    level: str


@dataclass(frozen=True)
class Evaluation:
    """What the command left."""

    code: int  # exit code
    wall_s: float  # of the whole command
    report: dict[str, Any]  # report.json; empty where the tool failed
    last_line: str  # of what it printed

    @property
    def outcome(self) -> str:
        """ran (to a printed score), unrunnable, or tool failed."""
        if not self.report:
            return "tool failed"
        return "ran" if (self.report.get("driven") or {}).get("headline") else "unrunnable"

    @property
    def failures(self) -> list[Failure]:
        """The rules that failed, in the report's order."""
        rules = self.report.get("rules", {}).items()
        return [Failure(rule, s["level"]) for rule, s in rules if s["status"] == "fail"]

    @property
    def cause(self) -> str:
        """Why there is no verdict on the merits, on one line."""
        cause = self.report.get("failure") or ("" if self.report else self.last_line)
        return " ".join(str(cause).split())[:300]


def evaluate(folder: Path, home: Path, options: Sequence[str]) -> Evaluation:
    """The folder's evaluation, kept in `home`: from there when it was made before."""
    kept = home / KEPT
    if kept.exists():
        said = json.loads(kept.read_text(encoding="utf-8"))
        return Evaluation(**said, report=_report(home, said["code"]))
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "harness.evaluate", str(folder.resolve())]
    started = time.monotonic()
    with (home / "evaluate.log").open("wb") as log:
        done = subprocess.run(
            [*command, "--out", str(home.resolve() / "report"), *options],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            check=False,
        )
    lines = (home / "evaluate.log").read_text(encoding="utf-8", errors="replace").splitlines()
    made = Evaluation(
        code=done.returncode,
        wall_s=round(time.monotonic() - started, 1),
        report=_report(home, done.returncode),
        last_line=lines[-1] if lines else "",
    )
    said = {k: v for k, v in asdict(made).items() if k != "report"}
    if made.code >= 0 and made.code not in INTERRUPTED:
        kept.write_text(json.dumps(said) + "\n", encoding="utf-8")
    return made


def _report(home: Path, code: int) -> dict[str, Any]:
    path = home / "report" / "report.json"
    if code == TOOL_FAILED or not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def side_by_side(work: Callable[[Item], Row], items: Iterable[Item], jobs: int) -> Iterator[Row]:
    """The rows as they are ready."""
    with ThreadPoolExecutor(jobs) as pool:
        started = [pool.submit(work, item) for item in items]
        for done in tqdm(as_completed(started), total=len(started), unit="script"):
            yield done.result()


@dataclass(frozen=True)
class Seconds:
    """How long evaluations took."""

    median: float
    p90: float

    @classmethod
    def of(cls, each: Iterable[float]) -> Seconds:
        ordered = sorted(each) or [0.0]
        place = min(int(0.9 * len(ordered)), len(ordered) - 1)
        return cls(statistics.median(ordered), ordered[place])
