"""What reading finds in one-place mutants of real scripts:

    python benchmarks/scan_mutants.py REPO LABELS.csv [--scripts N] [--only WORD ...] [--seed N]
        [--prs PR ...] [--keep DIR] [--json FILE] [--list]

REPO is a clone that holds the labelled commits, LABELS.csv is as for `agreement.py`: its legal rows
whose script parses are mutated by every operator of `synthesize/mutants` that has a site there, one
drawn site each, and scanned in the folder that they came in. `--scripts N` takes N drawn scripts an
operator, `--prs` those of the named rows, `--only` operators whose name or rules hold a word; a
packed script is mutated, and scanned, as what it unpacks. `--keep` keeps the mutants' text, so
that the next run only scans.

Printed, by operator and by rule: how many mutants fail under a right rule (killed), fail under
another one, are warned of under a right one, and are missed; and how many harmless rewrites fail
(accused). What fails, or warns, in the script itself counts nowhere.

Guarantees: a mutant differs from its script in one place; nothing of it runs. Does not cover:
whether the place acts in the configuration that the folder ran, so some mutants are rightly missed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import traceback
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import libcst as cst
from agreement import LARGEST, labelled
from tqdm import tqdm

from audits.judge import scan_path
from audits.source import Outcome, from_bytes
from benchmarks.labelled import extract
from benchmarks.synthesize.mutants.harmless import HARMLESS
from benchmarks.synthesize.mutants.operator import Mutation, applied, n_sites
from benchmarks.synthesize.mutants.real_scripts import MUTATIONS

OUTCOMES = ("killed", "other rule", "warned", "missed", "error")
NO_SITE = "# no site\n"


@dataclass(frozen=True)
class Scanned:
    """One mutant, and what reading said of it."""

    operator: str
    rules: tuple[str, ...]  # any of which is right; none: harmless
    pr: str
    outcome: str  # one of OUTCOMES; a harmless one is killed, warned or missed by any rule
    said: tuple[str, ...]  # what its script is not told

    @property
    def accused(self) -> bool:
        return not self.rules and self.outcome == "killed"


class Script:
    """One legal row's folder, unpacked, with its script as it was."""

    def __init__(self, row: dict[str, str], repo: Path, folder: Path) -> None:
        self.pr, path = row["pr"], PurePosixPath(row["script_path"])
        self.folder, self.name = folder, path.name
        extract(repo, row["head_sha"], str(path.parent), folder, LARGEST)
        content = (folder / self.name).read_bytes()
        source = from_bytes(content)
        packed = source.outcome is Outcome.UNPACKED
        self.original = source.text.encode() if packed else content

    @cached_property
    def tree(self) -> cst.Module:
        return cst.parse_module(self.original)

    @cached_property
    def known(self) -> frozenset[tuple[str, str]]:
        """What the script itself is told: status and rule."""
        return frozenset((status, rule) for status, rule, _ in self.scan(self.original))

    def mutant(self, mutation: Mutation, seed: int, keep: Path | None) -> bytes:
        """Its text; NO_SITE where the operator has none. Drawn by the seed, and kept."""
        place = keep and keep / mutation.name.replace(" ", "_") / f"{self.pr}-{seed}.py"
        if place and place.exists():
            return place.read_bytes()
        text = self._mutant(mutation, seed)
        if place:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text)
        return text

    def _mutant(self, mutation: Mutation, seed: int) -> bytes:
        dice = random.Random(f"{seed} {self.pr} {mutation.name}")
        if not (sites := n_sites(self.tree, mutation.operator)):
            return NO_SITE.encode()
        text = applied(self.tree, mutation.operator, dice.randrange(sites)).code
        compile(text, self.name, "exec")
        return text.encode(self.tree.encoding)

    def scan(self, text: bytes) -> list[tuple[str, str, str]]:
        """Status, rule, and line with message, of what fails or warns."""
        (self.folder / self.name).write_bytes(text)
        report = scan_path(self.folder, "strict", self.name)
        return [
            (one.status, one.rule, f"{one.status} {one.rule} {file.path}:{one.line} {one.message}")
            for file in report.files
            for one in file.findings
            if one.status in ("fail", "warn")
        ]

    def judge(self, mutation: Mutation, text: bytes) -> Scanned:
        try:
            known = self.known
            new = [one for one in self.scan(text) if one[:2] not in known]
        except Exception as error:  # noqa: BLE001 - a scanner's error is a result here
            last = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"
            return Scanned(mutation.name, mutation.rules, self.pr, "error", (said,))
        fails = {rule for status, rule, _ in new if status == "fail"}
        warns = {rule for status, rule, _ in new if status == "warn"}
        outcome = _outcome(set(mutation.rules), fails, warns)
        said = tuple(text for _, _, text in new)
        return Scanned(mutation.name, mutation.rules, self.pr, outcome, said)


def _outcome(right: set[str], fails: set[str], warns: set[str]) -> str:
    if fails & right or (not right and fails):
        return "killed"
    if fails:
        return "other rule"
    return "warned" if warns & right or (not right and warns) else "missed"


def legal_rows(labels: Path, seed: int, prs: Collection[str]) -> list[dict[str, str]]:
    """Of the named ones, or of all, in drawn order."""
    rows = [one for one in labelled(labels) if one["label"] == "legal"]
    rows = [one for one in rows if not prs or one["pr"] in prs]
    random.Random(seed).shuffle(rows)
    return rows


def run(options: argparse.Namespace) -> list[Scanned]:
    kinds = [
        kind
        for kind in (*MUTATIONS, *HARMLESS)
        if not options.only or any(w in " ".join((kind.name, *kind.rules)) for w in options.only)
    ]
    done: list[Scanned] = []
    taken: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        rows = enumerate(legal_rows(options.labels, options.seed, options.prs))
        for number, row in tqdm(rows, disable=not sys.stderr.isatty()):
            wanted = [kind for kind in kinds if taken[kind.name] != options.scripts]
            if not wanted:
                break
            try:
                script = Script(row, options.repo, Path(scratch) / str(number))
                found = list(_mutants(script, wanted, options))
            except (OSError, SyntaxError, cst.ParserSyntaxError) as error:
                print(f"#{row['pr']}: left out: {type(error).__name__}", file=sys.stderr)
                continue
            taken.update(kind.name for kind, _ in found)
            done += [script.judge(kind, text) for kind, text in found]
    return done


def _mutants(
    script: Script, kinds: Sequence[Mutation], options: argparse.Namespace
) -> Iterator[tuple[Mutation, bytes]]:
    for kind in kinds:
        text = script.mutant(kind, options.seed, options.keep)
        if text != NO_SITE.encode():
            yield kind, text


def show(done: Sequence[Scanned], *, every: bool) -> None:
    by_operator: dict[str, list[Scanned]] = defaultdict(list)
    by_rule: dict[str, list[Scanned]] = defaultdict(list)
    for one in done:
        by_operator[one.operator].append(one)
        for rule in one.rules:
            by_rule[rule].append(one)
    broken = [one for one in done if one.rules]
    print(f"{'':28} {'n':>4} " + " ".join(f"{name:>10}" for name in OUTCOMES) + "  share")
    for name, some in by_operator.items():
        if some[0].rules:
            _line(name, some)
    _line("all that break a rule", broken)
    print()
    for name, some in sorted(by_rule.items()):
        _line(name, some)
    print()
    for name, some in by_operator.items():
        if not some[0].rules:
            print(f"{name:28} {len(some):>4} accused {sum(one.accused for one in some)}")
    for one in done:
        if one.accused or one.outcome == "error" or (every and one.rules):
            print(f"  {one.outcome}: #{one.pr} {one.operator}: {' | '.join(one.said) or '-'}")


def _line(name: str, some: Sequence[Scanned]) -> None:
    counts = Counter(one.outcome for one in some)
    share = counts["killed"] / max(1, len(some))
    numbers = " ".join(f"{counts[outcome]:>10}" for outcome in OUTCOMES)
    print(f"{name:28} {len(some):>4} {numbers}  {share:.2f}")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("repo", type=Path, metavar="REPO")
    parser.add_argument("labels", type=Path, metavar="LABELS.csv")
    parser.add_argument("--scripts", type=int, default=0, help="an operator; 0: all of them")
    parser.add_argument("--prs", nargs="+", default=[], metavar="PR")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every mutant and its outcome")
    parser.add_argument("--list", action="store_true", help="every mutant with what was said")
    options = parser.parse_args(argv)
    options.scripts = options.scripts or None
    done = run(options)
    show(done, every=options.list)
    if options.json:
        text = json.dumps([asdict(one) for one in done], indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 1 if any(one.accused or one.outcome == "error" for one in done) else 0


if __name__ == "__main__":
    sys.exit(main())
