"""Counts the packages that the scripts of a labels file import and this machine's Python lacks.

    python -m benchmarks.imported_packages labels.csv REPOSITORY.git

Guarantees: scripts are parsed, never run; each counts once for a package, whatever the line.
Does not cover: packed scripts; imports by name at run time.
"""

import argparse
import ast
import csv
import importlib.util
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path


def imported(text: str) -> set[str]:
    """Top-level packages of a script; empty where it does not parse."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return set()
    return {name.partition(".")[0] for node in ast.walk(tree) for name in _names(node)}


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module


def absent(packages: set[str], beside: set[str]) -> set[str]:
    """Those that neither Python, nor this machine, nor the script's own folder has."""
    found = packages - sys.stdlib_module_names - beside
    return {name for name in found if importlib.util.find_spec(name) is None}


def count(labels: Path, repository: Path) -> Counter[str]:
    """Package -> scripts."""
    total: Counter[str] = Counter()
    with labels.open(newline="", encoding="utf-8") as file:
        rows = [(row[1], row[2]) for row in csv.reader(file) if len(row) > 2 and len(row[1]) == 40]
    for commit, path in rows:
        text = _git(repository, "show", f"{commit}:{path}")
        folder = _git(repository, "ls-tree", "--name-only", f"{commit}:{path.rpartition('/')[0]}")
        total.update(absent(imported(text), {Path(name).stem for name in folder.split()}))
    return total


def _git(repository: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", f"--git-dir={repository}", *words], capture_output=True, check=False
    )
    return done.stdout.decode(errors="replace")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("labels", type=Path)
    parser.add_argument("repository", type=Path)
    given = parser.parse_args()
    for name, scripts in count(given.labels, given.repository).most_common():
        print(f"{scripts:5d}  {name}")


if __name__ == "__main__":
    main()
