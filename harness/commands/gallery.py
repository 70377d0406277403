"""scorefirst gallery: every folder of the gallery, and whether what its manifest says came of it.

Exit codes: 0 all of it came out as it must, 1 something came out otherwise, 2 the tool or its use
failed, 3 nothing did, but something is open.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from audits.output.escape import write_escapes
from harness.errors import UsageError
from harness.gallery.exhibit import Exhibit, exhibits
from harness.gallery.kept import Kept, key_of
from harness.gallery.outcome import State, compare
from harness.gallery.showing import show
from harness.gallery.table import HEAD, Row, summary

FIRST_SEED = 1337
EPILOG = """\
examples:
  scorefirst gallery                                  all of it; what is known is not run again
  scorefirst gallery --short --jobs 2                 the part that takes some minutes
  scorefirst gallery --only 'norm_*' --only two_pass  folders by name
  scorefirst gallery --seeds 5                        each with five run seeds

exit codes: 0 all as it must be, 1 something is not, 2 the tool or its use failed, 3 some are open
"""


def main(argv: Sequence[str] | None = None, prog: str = "scorefirst gallery") -> int:
    """Runs the command; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        write_escapes(stream)
    chosen = _parser(prog).parse_args(argv)
    try:
        folders = exhibits(chosen.root, chosen.only, chosen.short)
        kept = Kept(chosen.out / "results.jsonl", chosen.fresh)
    except (UsageError, OSError) as error:
        print(f"scorefirst: {error}", file=sys.stderr)
        return 2
    print(HEAD)
    rows = []
    for row in _shown(folders, range(FIRST_SEED, FIRST_SEED + chosen.seeds), kept, chosen):
        print(row.text(), flush=True)
        rows.append(row)
    print(summary(rows))
    states = {row.outcome.state for row in rows}
    return 1 if State.WRONG in states else 3 if State.OPEN in states else 0


def _shown(
    folders: Sequence[Exhibit], seeds: range, kept: Kept, chosen: argparse.Namespace
) -> Iterator[Row]:
    """In order, each as soon as it and those before it are there."""

    def one(exhibit: Exhibit, seed: int) -> Row:
        key = key_of(exhibit, seed)
        seen = kept.get(key)
        if seen is None:
            seen = show(exhibit, seed, chosen.out / exhibit.room / f"{exhibit.name}-{seed}")
            kept.add(key, seen)
        return Row(exhibit, seed, compare(exhibit, seen), seen.seconds)

    with ThreadPoolExecutor(chosen.jobs) as pool:
        waiting = [pool.submit(one, exhibit, seed) for exhibit in folders for seed in seeds]
        try:
            for future in waiting:
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Evaluates each folder of a gallery of attacks and of what must stay legal, and"
        " compares what comes out with what its manifest names: verdict, rule, level.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--root", type=Path, default=Path("submissions"), help="with exploits/ and legal/")
    add("--only", action="append", default=[], metavar="NAME", help="pattern, may be repeated")
    add("--short", action="store_true", help="those that the manifests call short")
    add("--jobs", type=_count, default=1, metavar="N", help="folders side by side; default 1")
    add("--seeds", type=_count, default=1, metavar="N", help="run seeds of each; default 1")
    add("--out", type=Path, default=Path("reports/gallery"), help="reports and results")
    add("--fresh", action="store_true", help="run again what is known")
    return parser


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: no whole number of at least 1")
    return value
