"""Compares the scanner with labelled submissions:

    python benchmarks/agreement.py LABELS.csv REPO [--json FILE]

REPO is a git directory that holds the labelled commits (`git fetch origin
'+refs/pull/*/head:refs/pull/*/head'`); LABELS.csv names `pr, head_sha, script_path, label,
violation_classes, confidence, verified_in_code, note`. Each row is one folder at one commit,
scanned whole, with the row's script as its entry, in the `strict` profile.

Printed, overall and for each violation class: how many illegal rows fail under a rule of the
right class (`classes.toml`), how many legal rows fail, both with 95 % Wilson intervals; then every
disagreement with the scanner's reason. Illegal rows whose violation no script can show (other
people's data, logs, sizes) are listed apart and counted nowhere; disputed rows are for information.

Guarantees: nothing is checked out and nothing of a submission runs; a row is judged by what is in
its folder. Does not cover: blobs that the git directory lacks; they are left out.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from labelled import CLASSES, extract

from audits.judge import scan_path

# Sizes and times are in logs, overlapping documents in the shards: no script shows them.
ELSEWHERE = frozenset({"artifact_oversize", "eval_overtime", "other"})
UNVERIFIED = ("no", "yes (size")  # of the column verified_in_code: nothing in the code was found
IN_DATA = "in metadata"  # of the column note: the byte table is right, the file it reads is not
LARGEST = 8_000_000  # bytes; nothing larger is text that a scanner reads


@dataclass(frozen=True)
class Row:
    """One labelled folder and what the scanner said."""

    pr: str
    sha: str
    label: str
    confidence: str
    classes: tuple[str, ...]
    shown: tuple[str, ...]  # the classes that the code can show
    fails: tuple[tuple[str, str], ...] = ()  # rule, and where and why
    rest: tuple[str, ...] = ()  # what else was said: warnings, notes
    error: str = ""

    @property
    def rules(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(rule for rule, _ in self.fails))

    def fails_as(self, names: Sequence[str]) -> bool:
        """Whether a rule of one of these classes fails."""
        right = {rule for name in names for rule in CLASSES.get(name, ())}
        return not right.isdisjoint(self.rules)


@dataclass
class Count:
    """Rows of one class, or of all."""

    illegal: int = 0
    caught: int = 0
    legal: int = 0
    accused: int = 0
    table: dict[str, float] = field(default_factory=dict)


def labelled(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        yield from csv.DictReader(file)


def row_of(entry: dict[str, str]) -> Row:
    classes = tuple(name for name in entry["violation_classes"].split(";") if name)
    shown = tuple(name for name in classes if name not in ELSEWHERE)
    seen = entry.get("verified_in_code", "")
    if entry["label"] == "illegal" and (seen == UNVERIFIED[0] or seen.startswith(UNVERIFIED[1])):
        shown = ()
    if IN_DATA in entry.get("note", ""):
        shown = tuple(name for name in shown if name != "byte_accounting")
    return Row(
        entry["pr"], entry["head_sha"], entry["label"], entry.get("confidence", ""), classes, shown
    )


def scanned(entry: dict[str, str], repo: Path) -> Row:
    """The row with the scanner's answer; an error of the scanner is kept, and the run goes on."""
    row = row_of(entry)
    script = PurePosixPath(entry["script_path"])
    with tempfile.TemporaryDirectory() as scratch:
        try:
            extract(repo, row.sha, str(script.parent), Path(scratch), LARGEST)
            report = scan_path(Path(scratch), "strict", script.name)
        except Exception as error:  # noqa: BLE001 - one bad row must not end the comparison
            last = traceback.extract_tb(error.__traceback__)[-1]
            cause = f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"
            return Row(**{**row.__dict__, "error": cause})
    fails: list[tuple[str, str]] = []
    rest: list[str] = []
    for file in report.files:
        for finding in file.findings:
            where = f"{finding.rule} {file.path}:{finding.line}: {finding.message}"
            if finding.status == "fail":
                fails.append((finding.rule, where))
            else:
                rest.append(f"({finding.status}) {where}")
        if file.note and file.path == script.name:
            rest.append(f"({file.outcome}) {file.path}: {file.note}")
    return Row(**{**row.__dict__, "fails": tuple(fails), "rest": tuple(rest)})


def count(rows: Sequence[Row], names: Sequence[str] | None) -> Count:
    """The table's line of some classes; of all rows and every rule when none is named."""
    found = Count()
    for row in rows:
        if row.label == "legal":
            found.legal += 1
            found.accused += row.fails_as(names) if names else bool(row.fails)
        elif row.label == "illegal":
            mine = [name for name in row.shown if names is None or name in names]
            found.illegal += bool(mine)
            found.caught += bool(mine) and row.fails_as(mine)
    return found


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share; all of [0, 1] when nothing was counted."""
    if not total:
        return 0.0, 1.0
    z = 1.959964
    share = hits / total
    middle = share + z * z / (2 * total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def disagreements(rows: Sequence[Row]) -> Iterator[dict[str, object]]:
    for row in rows:
        missed = row.label == "illegal" and row.shown and not row.fails_as(row.shown)
        accused = row.label == "legal" and row.fails
        if not (missed or accused or row.error):
            continue
        said = [where for _, where in row.fails] or list(row.rest) or ["nothing was found"]
        yield {
            "pr": row.pr,
            "sha": row.sha,
            "label": row.label,
            "confidence": row.confidence,
            "classes": ";".join(row.classes),
            "rules": ";".join(row.rules),
            "reason": row.error or " | ".join(said),
        }


def apart(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Illegal rows whose violation is not in the code."""
    return [
        {"pr": row.pr, "classes": ";".join(row.classes), "rules": ";".join(row.rules)}
        for row in rows
        if row.label == "illegal" and not row.shown
    ]


def report(rows: Sequence[Row]) -> dict[str, object]:
    names = sorted({name for row in rows if row.label == "illegal" for name in row.shown})
    return {
        "overall": _plain(count(rows, None)),
        "classes": {name: _plain(count(rows, [name])) for name in names},
        "disagreements": list(disagreements(rows)),
        "not_in_the_code": apart(rows),
        "disputed": [
            {"pr": row.pr, "classes": ";".join(row.classes), "rules": ";".join(row.rules)}
            for row in rows
            if row.label == "disputed"
        ],
        "errors": sum(bool(row.error) for row in rows),
    }


def _plain(one: Count) -> dict[str, object]:
    return {
        "illegal": one.illegal,
        "caught": one.caught,
        "legal": one.legal,
        "accused": one.accused,
        "recall_interval": wilson(one.caught, one.illegal),
        "accused_interval": wilson(one.accused, one.legal),
    }


def show(result: dict[str, object], rows: Sequence[Row]) -> None:
    lines = {"overall": count(rows, None)}
    lines |= {name: count(rows, [name]) for name in result["classes"]}  # type: ignore[attr-defined]
    print(f"{'class':24} {'caught':>9} {'95 %':>13}   {'accused':>9} {'95 %':>13}")
    for name, one in lines.items():
        print(
            f"{name:24} {one.caught:>4}/{one.illegal:<4} {_interval(one.caught, one.illegal):>13}"
            f"   {one.accused:>4}/{one.legal:<4} {_interval(one.accused, one.legal):>13}"
        )
    sure = [row for row in rows if row.label == "legal" and row.confidence == "high"]
    print(f"\nlegal with high confidence: {sum(bool(r.fails) for r in sure)}/{len(sure)} accused")
    print("\nDisagreements")
    for found in disagreements(rows):
        failed = found["rules"] or "-"
        print(f"  #{found['pr']} {found['label']} ({found['classes']}), failed: {failed}")
        print(f"      {found['reason']}")
    print("\nIllegal for what no script can show (other people's data, logs, sizes)")
    for two in apart(rows):
        print(f"  #{two['pr']} ({two['classes']}), failed: {two['rules'] or '-'}")
    print("\nDisputed")
    for row in rows:
        if row.label == "disputed":
            print(f"  #{row.pr} ({';'.join(row.classes)}), failed: {';'.join(row.rules) or '-'}")


def _interval(hits: int, total: int) -> str:
    low, high = wilson(hits, total)
    return f"{low:.2f} to {high:.2f}"


def progress(done: int, total: int, name: str) -> None:
    if sys.stderr.isatty() or done % 20 == 0 or done == total:
        end = "\r" if sys.stderr.isatty() and done < total else "\n"
        print(f"{done}/{total} #{name:<8}", end=end, file=sys.stderr, flush=True)


def compare(
    labels: Path, repo: Path, tell: Callable[[int, int, str], None] = progress
) -> list[Row]:
    entries = list(labelled(labels))
    rows: list[Row] = []
    for number, entry in enumerate(entries, 1):
        rows.append(scanned(entry, repo))
        tell(number, len(entries), entry["pr"])
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("labels", type=Path, metavar="LABELS.csv")
    parser.add_argument("repo", type=Path, metavar="REPO")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the same as JSON")
    options = parser.parse_args(argv)
    rows = compare(options.labels, options.repo)
    result = report(rows)
    show(result, rows)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
