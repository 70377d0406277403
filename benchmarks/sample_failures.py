"""Draws failures of a corpus scan for a person to read:

    python -m audits.corpus REPO --out DIR [--skip-refs FILE]
    python benchmarks/sample_failures.py DIR/results.jsonl REPO [--labels LABELS.csv] [--count 30]
        [--seed 1] [--code DIR]

One failure is one rule in one distinct content; pull requests that LABELS.csv names are left out.
Printed for each: pull request, rule, place, message and flow; with --code the judged file, as it
was read (unpacked), is written to DIR.

Guarantees: the same results, labels and seed draw the same failures. Does not cover: whether a
failure is right; that is what reading them is for.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audits.source import read_source


@dataclass(frozen=True)
class Failure:
    """One rule in one content."""

    ref: str
    head: str
    folder: str
    file: str
    finding: dict[str, Any]

    @property
    def pull_request(self) -> str:
        return self.ref.split("/")[2]


def failures(results: Path, labelled: set[str]) -> Iterator[Failure]:
    """In the order of the results; of equal contents the first."""
    seen: set[tuple[str, str]] = set()
    for line in results.read_text(encoding="utf-8").splitlines()[1:]:
        record = json.loads(line)
        for file in record["files"]:
            for one in file["findings"]:
                mark = (record["key"], one["rule"])
                if one["status"] != "fail" or mark in seen:
                    continue
                seen.add(mark)
                found = Failure(record["ref"], record["head"], record["folder"], file["path"], one)
                if found.pull_request not in labelled:
                    yield found


def shown(number: int, one: Failure) -> str:
    finding = one.finding
    head = f"{number:2} #{one.pull_request} {finding['rule']} {one.file}:{finding['line']}"
    steps = [f"     {s['role']:16} {s['line']:5} | {s['excerpt']}" for s in finding["flow"]]
    return "\n".join([f"{head} in {finding['function']}", f"     {finding['message']}", *steps])


def write_code(one: Failure, repo: Path, folder: Path) -> None:
    """The file as it was read."""
    path = f"{one.folder}/{one.file}".lstrip("/")
    words = ["git", "--git-dir", str(repo), "show", f"{one.head}:{path}"]
    content = subprocess.run(words, check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch, "script.py")
        copy.write_bytes(content)
        text = read_source(copy).text
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{one.pull_request}_{one.finding['rule']}.py").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="draws failures of a corpus scan")
    parser.add_argument("results", type=Path)
    parser.add_argument("repo", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--code", type=Path)
    options = parser.parse_args()
    labelled: set[str] = set()
    if options.labels is not None:
        with options.labels.open(newline="", encoding="utf-8-sig") as file:
            labelled = {row["pr"] for row in csv.DictReader(file)}
    found = list(failures(options.results, labelled))
    drawn = random.Random(options.seed).sample(found, min(options.count, len(found)))
    print(f"seed {options.seed}: {len(drawn)} of {len(found)} failures\n")
    for number, one in enumerate(drawn, 1):
        print(shown(number, one) + "\n")
        if options.code is not None:
            write_code(one, options.repo, options.code)


if __name__ == "__main__":
    main()
