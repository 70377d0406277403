"""Drives real submissions and compares the verdicts with labels:

    python benchmarks/drive_corpus.py REPO LABELS.csv --out DIR [--quick | --all] [--no-static]
        [--jobs N] [--only PR ...] [--json FILE] [-- options of harness.evaluate]

REPO is a git directory with the labelled commits (`git fetch origin
'+refs/pull/*/head:refs/pull/*/head'`); LABELS.csv names `pr, head_sha, script_path, label,
violation_classes`. Every row is one folder at one commit, evaluated as it was submitted by a
process of its own. Rows that DIR already holds are not run again. At the end: the share that ran,
seconds, and, against the labels, what was proved among the illegal rows by class and what was
accused among the legal ones.

Guarantees: nothing is checked out; a row that breaks the harness is a row (`outcome` tool failed),
and the rest goes on. Does not cover: blobs that the git directory lacks; they are left out and
said.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from labelled import CLASSES, extract
from tqdm import tqdm

from audits.corpus.repository import RepositoryError

TOOL_FAILED = 2


@dataclass(frozen=True)
class Row:
    """One driven submission."""

    pr: str
    sha: str
    label: str
    confidence: str
    classes: str
    outcome: str  # ran, unrunnable, tool failed
    verdict: str
    rules: str  # that failed
    levels: str  # of those failures, in the same order
    reconstruction: float | None  # relative gap between the captured and the printed headline
    seconds: float
    cause: str


def drive(repo: Path, label: dict[str, str], out: Path, options: list[str]) -> Row:
    """One row: from the kept result when there is one."""
    key = f"{label['pr']}-{label['head_sha'][:9]}-{PurePosixPath(label['script_path']).parent.name}"
    home = out / "".join(c if c.isalnum() or c in "-_." else "_" for c in key)[:120]
    kept = home / "row.json"
    if kept.exists():
        return Row(**json.loads(kept.read_text(encoding="utf-8")))
    path, folder = PurePosixPath(label["script_path"]), home / "submission"
    try:
        left_out = extract(repo, label["head_sha"], str(path.parent), folder)
    except RepositoryError as error:
        sys.exit(str(error))
    for lacking in left_out:
        print(f"{label['head_sha'][:7]}:{lacking} is not in {repo}", file=sys.stderr)
    command = [sys.executable, "-m", "harness.evaluate", str(folder), "--entry", path.name]
    with (home / "evaluate.log").open("wb") as log:
        done = subprocess.run(
            [*command, "--out", str(home / "report"), *options],
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    row = _row(label, done.returncode, home)
    kept.write_text(json.dumps(asdict(row)) + "\n", encoding="utf-8")
    return row


def _row(label: dict[str, str], code: int, home: Path) -> Row:
    path = home / "report" / "report.json"
    failed = code == TOOL_FAILED or not path.exists()
    report: dict[str, Any] = {} if failed else json.loads(path.read_text(encoding="utf-8"))
    broken = [(r, s) for r, s in report.get("rules", {}).items() if s["status"] == "fail"]
    log = (home / "evaluate.log").read_text(encoding="utf-8", errors="replace").splitlines()
    cause = report.get("failure") or (log[-1] if failed and log else "")
    driven = report.get("driven") or {}
    return Row(
        pr=label["pr"],
        sha=label["head_sha"][:9],
        label=label.get("label", ""),
        confidence=label.get("confidence", ""),
        classes=label.get("violation_classes", ""),
        outcome="tool failed" if failed else "ran" if driven.get("headline") else "unrunnable",
        verdict=report.get("verdict", ""),
        rules=" ".join(rule for rule, _ in broken),
        levels=" ".join(status["level"] for _, status in broken),
        reconstruction=driven.get("reconstruction"),
        seconds=round(sum(report.get("seconds", {}).values()), 1),
        cause=" ".join(str(cause).split())[:300],
    )


def table(rows: list[Row]) -> Iterator[str]:
    """What a reader wants to know first."""
    ran = [r for r in rows if r.outcome == "ran"]
    rebuilt = [r for r in ran if r.reconstruction is not None and r.reconstruction <= 1e-3]
    seconds = sorted(r.seconds for r in ran) or [0.0]
    p90 = seconds[min(int(0.9 * len(seconds)), len(seconds) - 1)]
    yield f"{len(rows)} rows: {len(ran)} ran to a printed score, {len(rebuilt)} of them rebuilt"
    yield f"seconds: median {statistics.median(seconds):.0f}, 90th percentile {p90:.0f}"
    yield f"{'class':<24} rows ran rebuilt violation right-rule"
    for name, rules in CLASSES.items():
        yield _class_line(name, rules, [r for r in rows if name in r.classes.split(";")])
    for sure in ("high", "med", "low", ""):
        legal = [r for r in rows if r.label == "legal" and r.confidence == sure]
        accused = [r for r in legal if r.verdict == "VIOLATION"]
        if legal:
            names = " ".join(f"#{r.pr}({r.rules})" for r in accused)
            yield f"legal ({sure or 'unrated'}): {len(accused)} accused of {len(legal)} {names}"


def _class_line(name: str, rules: list[str], rows: list[Row]) -> str:
    rows = [r for r in rows if r.label == "illegal"]
    ran = [r for r in rows if r.outcome == "ran"]
    rebuilt = [r for r in ran if r.reconstruction is not None and r.reconstruction <= 1e-3]
    accused = [r for r in rows if r.verdict == "VIOLATION"]
    right = [r for r in accused if _meets(r.rules.split(), rules)]
    counts = (len(rows), len(ran), len(rebuilt), len(accused), len(right))
    return f"{name:<24} {counts[0]:4} {counts[1]:3} {counts[2]:7} {counts[3]:9} {counts[4]:10}"


def _meets(found: Iterable[str], allowed: list[str]) -> bool:
    return any(rule in allowed for rule in found)


def main() -> None:
    """Drives the rows and prints the table."""
    arguments, options = _arguments()
    with arguments.labels.open(encoding="utf-8", newline="") as file:
        labels = list(csv.DictReader(file))
    if arguments.only:
        labels = [r for r in labels if r["pr"] in arguments.only]
    arguments.out.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        work = [pool.submit(drive, arguments.repo, r, arguments.out, options) for r in labels]
        for done in tqdm(work, unit="script"):
            row = done.result()
            tqdm.write(
                f"#{row.pr} {row.label}: {row.outcome} {row.verdict} {row.rules} {row.cause}"
            )
    rows = [done.result() for done in work]
    _write(rows, arguments.out / "rows.csv", arguments.json)
    print("\n".join(table(rows)))


def _arguments() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(description="Drives labelled submissions.")
    parser.add_argument("repo", type=Path, metavar="REPO")
    parser.add_argument("labels", type=Path, metavar="LABELS.csv")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="one run a script")
    parser.add_argument("--all", action="store_true", help="every test apart")
    parser.add_argument("--no-static", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", nargs="+", metavar="PR")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the rows as a list of objects")
    words = [*sys.argv[1:], "--"]
    split = words.index("--")
    arguments = parser.parse_args(words[:split])
    chosen = [name for name in ("quick", "all", "no_static") if getattr(arguments, name)]
    return arguments, [f"--{name.replace('_', '-')}" for name in chosen] + words[split + 1 : -1]


def _write(rows: list[Row], path: Path, as_json: Path | None) -> None:
    plain = [asdict(row) for row in rows]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(Row.__dataclass_fields__))
        writer.writeheader()
        writer.writerows(plain)
    if as_json:
        as_json.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
