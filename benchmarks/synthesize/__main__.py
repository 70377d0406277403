"""Writes submissions whose answers are known:

    python -m benchmarks.synthesize pairs OUT [--seed N] [--pairs N] [--cheats NAME ...] [--verify]
    python -m benchmarks.synthesize mutants OUT REPO SCRIPTS.txt [--seed N] [--mutants N]

`pairs` composes honest scripts and their cheating twins from independent axes; with `--verify`, a
pair whose cheat gains nothing on a small text is left out and said. `mutants` takes real scripts,
lines `REF PATH` of SCRIPTS.txt, from a clone of the contest's repository, and writes each beside
its mutants and their harmless twins. OUT/answers.json says what is known of every folder;
`benchmarks/power.py OUT` drives it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from benchmarks.synthesize import verify
from benchmarks.synthesize.cheats import CHEATS
from benchmarks.synthesize.compose import Axes, answer, draws, write
from benchmarks.synthesize.mutants.real_scripts import write_mutants
from reference_model.data.corpus import embedded_data


def main() -> None:
    arguments = _arguments()
    if any(arguments.out.glob("*")):
        sys.exit(f"{arguments.out} is not empty")
    arguments.out.mkdir(parents=True, exist_ok=True)
    answers = arguments.make(arguments)
    text = json.dumps(answers, indent=1) + "\n"
    (arguments.out / "answers.json").write_text(text, encoding="utf-8")
    print(f"{len(answers)} folders in {arguments.out}")


def pairs(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """Both scripts of every draw, and their answers."""
    answers = []
    endless = (a for a in draws(arguments.seed, 10**6) if a.cheat in arguments.cheats)
    wanted = _acting(endless) if arguments.verify else endless
    for turn, axes in enumerate(tqdm(islice(wanted, arguments.pairs), total=arguments.pairs)):
        # The name tells nothing: which twin comes first is drawn by the seed.
        first = bool((arguments.seed + turn) * 2654435761 >> 7 & 1)
        names = {cheating: f"s{turn:04d}{'ab'[cheating ^ first]}" for cheating in (False, True)}
        for cheating, name in names.items():
            write(axes, cheating, arguments.out / name)
            answers.append(answer(axes, cheating, name, names[not cheating]))
    return answers


def _acting(draws: Iterator[Axes]) -> Iterator[Axes]:
    with tempfile.TemporaryDirectory() as root:
        verify.make_data(Path(root), embedded_data(Path(root) / "embedded"))
        for axes in draws:
            pair = verify.verify(axes, Path(root))
            if pair.acts:
                yield axes
            else:
                tqdm.write(f"no gain ({pair.honest}, {pair.cheating}): {axes}")


def mutants(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """Of the scripts that the file names."""
    lines = arguments.scripts.read_text(encoding="utf-8").splitlines()
    named = [line.split(maxsplit=1) for line in lines if line.strip()]
    return write_mutants(arguments.repo, named, arguments.out, arguments.seed, arguments.mutants)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Writes submissions whose answers are known.")
    kinds = parser.add_subparsers(required=True)
    composed = kinds.add_parser("pairs", help="composed from axes")
    composed.set_defaults(make=pairs)
    composed.add_argument("out", type=Path, metavar="OUT")
    composed.add_argument("--pairs", type=int, default=200)
    composed.add_argument("--cheats", nargs="+", choices=list(CHEATS), default=list(CHEATS))
    composed.add_argument("--verify", action="store_true", help="leave out what gains nothing")
    mutated = kinds.add_parser("mutants", help="of real scripts")
    mutated.set_defaults(make=mutants)
    mutated.add_argument("out", type=Path, metavar="OUT")
    mutated.add_argument("repo", type=Path, metavar="REPO")
    mutated.add_argument("scripts", type=Path, metavar="SCRIPTS.txt")
    mutated.add_argument("--mutants", type=int, default=100)
    for kind in (composed, mutated):
        kind.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
