"""Drives a folder of submissions whose answers are known, and says what was proved:

    python benchmarks/power.py SET --out DIR [--jobs N] [--only WORD ...] [--limit N]
        [--seeds N ...] [--by AXIS ...] [-- options of harness.evaluate]

SET holds one folder a submission and `answers.json`, a list of objects: `folder`, `verdict` (legal
or illegal), `rules` (any of which is right), `entry` where it is needed, and what to group by:
`cls`, and the `axes` that `benchmarks/synthesize` writes. Every submission is evaluated by a
process of its own, once a seed; what DIR holds already is not evaluated again. At the end, in DIR:
rows.csv, and table.txt, which is printed too. `--only` takes submissions whose name, class or
verdict holds one of the words.

Guarantees: proved is a violation under a right rule. A rule about conduct (`CONDUCT`) counts as
proved when the report names the attempt under it and is not CLEAN: no stream shows what a script
tried elsewhere. Does not cover: whether the answers are right.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from evaluation import Evaluation, Seconds, evaluate, side_by_side
from tqdm import tqdm

CONDUCT = {"MISC-1", "DATA-6", "DATA-7", "BUDGET-3"}
OUTCOMES = ("proved", "other rule", "CLEAN", "REVIEW", "UNRUNNABLE", "tool failed")


@dataclass(frozen=True)
class Answer:
    """What is known of one submission."""

    folder: str
    verdict: str  # legal or illegal
    rules: frozenset[str]  # any of which is right
    groups: dict[str, str]  # axis -> value; `class` among them
    entry: str  # the script, where the folder has several

    @classmethod
    def of(cls, said: dict[str, Any]) -> Answer:
        groups = {"class": said.get("cls", "")} | said.get("axes", {})
        rules = frozenset(said["rules"])
        return cls(said["folder"], said["verdict"], rules, groups, said.get("entry", ""))


@dataclass(frozen=True)
class Row:
    """One evaluation against its answer."""

    folder: str
    seed: int
    answer: str  # legal or illegal
    cls: str
    outcome: str  # one of OUTCOMES
    rules: str  # that failed
    right_rules: str
    undecided: str  # rules, of a REVIEW
    cause: str  # of a REVIEW (its first reason, without numbers), or why it did not run
    wall_s: float


def drive(job: tuple[Answer, int], source: Path, out: Path, options: Sequence[str]) -> Row:
    answer, seed = job
    home = out / str(seed) / answer.folder
    entry = ["--entry", answer.entry] if answer.entry else []
    done = evaluate(source / answer.folder, home, ["--seed", str(seed), *entry, *options])
    undecided = [r for r, s in done.report.get("rules", {}).items() if s["status"] == "unknown"]
    return Row(
        folder=answer.folder,
        seed=seed,
        answer=answer.verdict,
        cls=answer.groups["class"],
        outcome=outcome(done, answer, undecided),
        rules=" ".join(failure.rule for failure in done.failures),
        right_rules=" ".join(sorted(answer.rules)),
        undecided=" ".join(undecided) if done.report.get("verdict") == "REVIEW" else "",
        cause=done.cause or _first_reason(done),
        wall_s=done.wall_s,
    )


def outcome(done: Evaluation, answer: Answer, undecided: Sequence[str]) -> str:
    """Which of OUTCOMES; an accused legal submission is `other rule`."""
    verdict = str(done.report.get("verdict", "tool failed"))
    failed = {failure.rule for failure in done.failures}
    if verdict not in ("CLEAN", "tool failed") and (failed | {*undecided}) & answer.rules & CONDUCT:
        return "proved"
    if verdict == "VIOLATION":
        return "proved" if failed & answer.rules else "other rule"
    return verdict


def _first_reason(done: Evaluation) -> str:
    """Without its numbers, so that equal reasons are counted together."""
    reasons = done.report.get("summary", {}).get("undecided", [])
    if done.report.get("verdict") != "REVIEW" or not reasons:
        return ""
    first = reasons[0]
    return f"{' '.join(first['rules'])}: " + re.sub(r"\d[\d,.]*", "N", first["why"])[:200]


def table(rows: Sequence[Row], answers: Sequence[Answer], axes: Sequence[str]) -> Iterator[str]:
    """Cheats and honest ones by axis, then every reason of a REVIEW, then what was wrong."""
    groups = {answer.folder: answer.groups for answer in answers}
    for verdict in ("illegal", "legal"):
        some = [row for row in rows if row.answer == verdict]
        if some:
            yield _HEADER.format(verdict, *OUTCOMES, "median_s", "p90_s")
            yield _line("all", some)
            for axis in axes:
                yield from _lines_of(axis, some, groups)
            yield ""
    yield from _reasons(rows)
    yield from _wrong(rows)


_HEADER = "{:<44} rows {:>6} {:>10} {:>5} {:>6} {:>10} {:>11} {:>8} {:>5}"


def _lines_of(axis: str, rows: Sequence[Row], groups: dict[str, dict[str, str]]) -> Iterator[str]:
    by_value: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_value[groups[row.folder].get(axis, "")].append(row)
    for value, some in sorted(by_value.items()):
        yield _line(f"{axis}: {value}", some)


def _line(name: str, rows: Sequence[Row]) -> str:
    counts = Counter(row.outcome for row in rows)
    seconds = Seconds.of(row.wall_s for row in rows)
    widths = zip(OUTCOMES, (6, 10, 5, 6, 10, 11), strict=True)
    cells = " ".join(f"{counts[outcome] or '.':>{width}}" for outcome, width in widths)
    return f"{name[:44]:<44} {len(rows):4} {cells} {seconds.median:8.0f} {seconds.p90:5.0f}"


def _reasons(rows: Sequence[Row]) -> Iterator[str]:
    undecided = [row for row in rows if row.outcome not in ("proved", "other rule", "CLEAN")]
    for (kind, cause), n in Counter((row.outcome, row.cause) for row in undecided).most_common():
        yield f"{n:4} {kind}  {cause}"
    rules = Counter(rule for row in undecided for rule in row.undecided.split())
    if rules:
        yield "undecided: " + ", ".join(f"{rule} {n}" for rule, n in rules.most_common())


def _wrong(rows: Sequence[Row]) -> Iterator[str]:
    """The two worst, by name."""
    for row in rows:
        if row.answer == "legal" and row.rules:
            yield f"ACCUSED {row.folder} (seed {row.seed}): {row.rules}"
        if row.answer == "illegal" and row.outcome == "CLEAN":
            yield f"CHEAT CLEAN {row.folder} (seed {row.seed}): {row.right_rules}"


def main() -> None:
    """Drives the set and prints the table."""
    arguments, options = _arguments()
    said = json.loads((arguments.set / "answers.json").read_text(encoding="utf-8"))
    answers = [a for a in map(Answer.of, said) if _is_wanted(a, arguments.only)][: arguments.limit]
    arguments.out.mkdir(parents=True, exist_ok=True)
    jobs = [(answer, seed) for seed in arguments.seeds for answer in answers]
    rows = []
    work = partial(drive, source=arguments.set, out=arguments.out, options=options)
    for row in side_by_side(work, jobs, arguments.jobs):
        tqdm.write(f"{row.answer:<8}{row.outcome:<11} {row.folder} {row.rules} {row.cause}")
        rows.append(row)
    rows.sort(key=lambda row: (row.folder, row.seed))
    _write(rows, arguments.out / "rows.csv")
    axes = arguments.by or list(dict.fromkeys(axis for a in answers for axis in a.groups))
    text = "\n".join(table(rows, answers, axes)) + "\n"
    (arguments.out / "table.txt").write_text(text, encoding="utf-8")
    print(text, end="")


def _is_wanted(answer: Answer, words: Sequence[str] | None) -> bool:
    names = (answer.folder, answer.groups["class"], answer.verdict)
    return not words or any(
        word == name if name == answer.verdict else word in name for word in words for name in names
    )


def _arguments() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(description="Drives submissions whose answers are known.")
    parser.add_argument("set", type=Path, metavar="SET")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", nargs="+", metavar="WORD")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1337], metavar="N")
    parser.add_argument("--by", nargs="+", metavar="AXIS", help="default: every axis")
    words = [*sys.argv[1:], "--"]
    split = words.index("--")
    arguments = parser.parse_args(words[:split])
    return arguments, ["--no-static", *words[split + 1 : -1]]


def _write(rows: Sequence[Row], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=[field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


if __name__ == "__main__":
    main()
