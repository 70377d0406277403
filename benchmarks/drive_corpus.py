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
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from evaluation import KEPT, Evaluation, Seconds, evaluate, side_by_side
from labelled import CLASSES, extract
from tqdm import tqdm

from audits.corpus.repository import RepositoryError


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
    """One row: from the kept evaluation when there is one."""
    key = f"{label['pr']}-{label['head_sha'][:9]}-{PurePosixPath(label['script_path']).parent.name}"
    home = out / "".join(c if c.isalnum() or c in "-_." else "_" for c in key)[:120]
    path, folder = PurePosixPath(label["script_path"]), home / "submission"
    if not (home / KEPT).exists():
        try:
            left_out = extract(repo, label["head_sha"], str(path.parent), folder)
        except RepositoryError as error:
            sys.exit(str(error))
        for lacking in left_out:
            print(f"{label['head_sha'][:7]}:{lacking} is not in {repo}", file=sys.stderr)
    return _row(label, evaluate(folder, home, ["--entry", path.name, *options]))


def _row(label: dict[str, str], done: Evaluation) -> Row:
    driven = done.report.get("driven") or {}
    return Row(
        pr=label["pr"],
        sha=label["head_sha"][:9],
        label=label.get("label", ""),
        confidence=label.get("confidence", ""),
        classes=label.get("violation_classes", ""),
        outcome=done.outcome,
        verdict=done.report.get("verdict", ""),
        rules=" ".join(failure.rule for failure in done.failures),
        levels=" ".join(failure.level for failure in done.failures),
        reconstruction=driven.get("reconstruction"),
        seconds=round(sum(done.report.get("seconds", {}).values()), 1),
        cause=done.cause,
    )


def table(rows: list[Row]) -> Iterator[str]:
    """What a reader wants to know first."""
    ran = [r for r in rows if r.outcome == "ran"]
    rebuilt = [r for r in ran if r.reconstruction is not None and r.reconstruction <= 1e-3]
    seconds = Seconds.of(r.seconds for r in ran)
    yield f"{len(rows)} rows: {len(ran)} ran to a printed score, {len(rebuilt)} of them rebuilt"
    yield f"seconds: median {seconds.median:.0f}, 90th percentile {seconds.p90:.0f}"
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
    rows = []
    drive_row = partial(drive, arguments.repo, out=arguments.out, options=options)
    for row in side_by_side(drive_row, labels, arguments.jobs):
        tqdm.write(f"#{row.pr} {row.label}: {row.outcome} {row.verdict} {row.rules} {row.cause}")
        rows.append(row)
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
