"""Variants of a script that an agent may edit: 28 that cheat, each in another way, and 25 that are
honest; what the harness makes of each.

    python -m benchmarks.contest_variants write autoresearch/ --out /tmp/variants
    python -m benchmarks.contest_variants drive /tmp/variants --out /tmp/driven --only halve

`write` makes a folder a variant of a checkout of karpathy/autoresearch, by small edits that are
found by pattern; one whose place is not there is left out and said. `drive` evaluates every folder
that has no report yet, one after the other, and ends with one line: proved, accused, clean.
Does not cover: nanochat, whose model is another file.
"""

import argparse
import json
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ENTRY = "train.py"
TABLE = Path(__file__).with_suffix(".toml")
IGNORED = shutil.ignore_patterns(".git", "*.ipynb", "*.png", "uv.lock")


@dataclass(frozen=True)
class Variant:
    """One way to edit the script; without a pattern it is as it was."""

    name: str
    cheats: bool
    pattern: str
    text: str

    def made(self, source: str) -> str | None:
        """None where the place is not there once."""
        if not self.pattern:
            return source
        if len(re.findall(self.pattern, source)) != 1:
            return None
        return re.sub(self.pattern, self._replacement, source, count=1)

    def _replacement(self, match: re.Match[str]) -> str:
        """Each line as far in as the place; what follows the place, too."""
        indent = match.groupdict().get("i") or ""
        lines = [f"{indent}{line}" if line else line for line in self.text.split("\n")]
        return "\n".join(lines) + (indent if self.text.endswith("\n") else "")


def _variants() -> Iterator[Variant]:
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    for one in table["variants"]:
        pattern = one.get("pattern") or table["places"].get(one.get("place"), "")
        yield Variant(one["name"], one["cheats"], pattern, one.get("text", ""))


VARIANTS = tuple(_variants())


def written(source: Path, out: Path) -> Iterator[str]:
    """Makes the folders; gives the names of those that were left out."""
    text = (source / ENTRY).read_text(encoding="utf-8")
    for variant in VARIANTS:
        made = variant.made(text)
        if made is None:
            yield variant.name
            continue
        folder = out / variant.name
        shutil.copytree(source, folder, ignore=IGNORED, dirs_exist_ok=True)
        (folder / ENTRY).write_text(made, encoding="utf-8")


def drive(folder: Path, out: Path, only: Sequence[str], budget_s: float) -> None:
    """Every variant that has no report yet."""
    from harness import evaluate

    for variant in VARIANTS:
        report = out / variant.name / "report.json"
        place = folder / variant.name
        if report.exists() or not place.is_dir() or (only and variant.name not in only):
            continue
        made = evaluate(
            place, out=report.parent, jobs=1, seed=1337, static=False, budget_s=budget_s
        )
        print(_line(variant, made.to_json()), flush=True)


def _line(variant: Variant, report: dict[str, object]) -> str:
    rules = report["rules"]
    assert isinstance(rules, dict)
    failed = [rule for rule, status in rules.items() if status["status"] == "fail"]
    kind = "cheat" if variant.cheats else "honest"
    return f"{kind:6} {variant.name:30} {report['verdict']:10} {' '.join(failed)}"


def summary(out: Path) -> str:
    """Of all reports that are there."""
    reports = ((one, out / one.name / "report.json") for one in VARIANTS)
    found = {one: json.loads(file.read_text()) for one, file in reports if file.exists()}
    for variant, report in found.items():
        print(_line(variant, report))
    cheats = [r["verdict"] for v, r in found.items() if v.cheats]
    honest = [r["verdict"] for v, r in found.items() if not v.cheats]
    return (
        f"proved {cheats.count('VIOLATION')} of {len(cheats)}; accused {honest.count('VIOLATION')},"
        f" clean {honest.count('CLEAN')} of {len(honest)}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contest_variants")
    parser.add_argument("action", choices=("write", "drive", "summary"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--budget", type=float, default=600.0)
    options = parser.parse_args(argv)
    if options.action == "write":
        left = list(written(options.folder, options.out))
        print(
            f"{len(VARIANTS) - len(left)} written"
            + (f"; no place for {', '.join(left)}" if left else "")
        )
        return 0
    if options.action == "drive":
        drive(options.folder, options.out, options.only, options.budget)
    print(summary(options.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
