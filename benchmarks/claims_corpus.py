"""The claims of every submission of a repository, and which texts its logs imply (BYTES-1):

    python benchmarks/claims_corpus.py MIRROR [--refs PATTERN]... [--skip-refs FILE] [--out FILE]
    python benchmarks/claims_corpus.py MIRROR --verify

MIRROR is a git directory with the pull requests' heads. Each folder that a head brings is read as
`scorefirst claims` reads it; folders of equal content are read once. Printed: how many were read,
every error, what was found of each rule, and the outliers: sizes of text that are not the
contest's, and the heads whose logs imply them. FILE keeps a line of JSON a folder: a run that was
ended goes on where it stopped. `--verify` reads the folders of claims_expected.json again and
compares with the values there, which were read by eye. Exit code 1: an error, or a value that
differs.

Guarantees: nothing of a submission runs, and nothing is fetched. Does not cover: folders without a
`train_gpt.py` and without a `submission.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from statistics import median
from typing import Any

from labelled import extract

from audits.contests import Contest, load_contest
from audits.corpus.patterns import matches, patterns_in
from audits.corpus.repository import Repository
from audits.corpus.submissions import Finder, Submission
from harness.claims.checks import check_claims
from harness.claims.checks.denominator import implied_bytes, text_of
from harness.claims.reading import claims_of
from harness.claims.record import Claims, Log

EXPECTED = Path(__file__).with_name("claims_expected.json")
LARGEST = 16 << 20  # bytes of a file that is extracted; weights are not read
APART = 0.002  # of the text; what is nearer is its size, or a dropped tail
MEGA = 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("mirror", type=Path)
    parser.add_argument("--refs", action="append", metavar="PATTERN")
    parser.add_argument("--skip-refs", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, metavar="FILE")
    parser.add_argument("--verify", action="store_true")
    options = parser.parse_args()
    contest, mirror = load_contest("parameter_golf"), options.mirror.resolve()
    if options.verify:
        return _verify(mirror, contest)
    rows = _known(options.out)
    refs = options.refs or ["main", "refs/pull/*/head"]
    for row in _rows(mirror, contest, refs, options.skip_refs, {row["key"] for row in rows}):
        rows.append(row)
        if options.out:
            with options.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
    return _print(rows)


def _known(out: Path | None) -> list[dict[str, Any]]:
    if out is None or not out.exists():
        return []
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def _rows(
    mirror: Path, contest: Contest, refs: list[str], skip: Path | None, known: set[str]
) -> Iterator[dict[str, Any]]:
    repository = Repository(mirror)
    base = repository.commit("main")
    if base is None:
        raise SystemExit(f"{mirror}: no branch main")
    finder, skipped = Finder(repository, base), patterns_in(skip)
    for ref in repository.refs(refs):
        for one in () if matches(ref, skipped) else finder.find(ref):
            if one.folder and one.key not in known:
                known.add(one.key)
                yield _row(mirror, one, contest)


def _row(mirror: Path, one: Submission, contest: Contest) -> dict[str, Any]:
    row: dict[str, Any] = {"key": one.key, "ref": one.ref, "folder": one.folder}
    try:
        claims = _claims(mirror, one.head, one.folder, contest)
    except Exception:  # noqa: BLE001 - that there is none is what is measured
        return row | {"error": traceback.format_exc(), "findings": [], "texts": []}
    findings = [finding.as_json() for finding in check_claims(claims, contest)]
    texts = [text for log in claims.logs if (text := _text(log, contest))]
    return row | {"findings": findings, "texts": texts}


def _claims(mirror: Path, commit: str, folder: str, contest: Contest) -> Claims:
    with tempfile.TemporaryDirectory() as where:
        place = Path(where) / folder
        place.mkdir(parents=True)
        extract(mirror, commit, folder, place, LARGEST)
        return claims_of(place, contest)


def _text(log: Log, contest: Contest) -> dict[str, Any] | None:
    """What a log implies, beside what it should: its headline, else its other lines."""
    implied, every = implied_bytes(log)
    if implied is None and not every:
        return None
    implied = implied or median(every)
    share = implied / text_of(log, contest).n_bytes
    return {"log": log.file, "bytes": implied, "share": share, "tokens": log.value("tokens")}


def _print(rows: list[dict[str, Any]]) -> int:
    errors = [row for row in rows if "error" in row]
    logs = [text for row in rows for text in row["texts"]]
    usual = sum(abs(text["share"] - 1) <= APART for text in logs)
    print(f"{len(rows)} folders, {len(errors)} errors; {len(logs)} logs that imply a text")
    print(f"{usual} of these imply the contest's, to {APART:.1%}\n\n| rule | standing | folders |")
    print("|---|---|--:|")
    worst = Counter()
    for row in rows:
        found = {}
        for finding in row["findings"]:
            found.setdefault(finding["rule"], finding["standing"])
        worst.update(found.items())
    for (rule, standing), count in sorted(worst.items()):
        print(f"| {rule} | {standing} | {count} |")
    print("\n| implied text, MB | logs | heads |\n|--:|--:|---|")
    for size, heads in sorted(_outliers(rows).items(), reverse=True):
        named = ", ".join(f"{ref} ({count})" for ref, count in sorted(heads.items()))
        print(f"| {size:.1f} | {sum(heads.values())} | {named} |")
    for row in errors:
        print(f"\n{row['ref']} {row['folder']}\n{row['error']}", file=sys.stderr)
    return 1 if errors else 0


def _outliers(rows: list[dict[str, Any]]) -> Mapping[float, Counter[str]]:
    """Heads by the text that their logs imply, to a tenth of a megabyte, with the logs of each."""
    found: defaultdict[float, Counter[str]] = defaultdict(Counter)
    for row in rows:
        name = row["ref"].removeprefix("refs/pull/").removesuffix("/head")
        for text in row["texts"]:
            if abs(text["share"] - 1) > APART:
                found[round(text["bytes"] / MEGA, 1)][f"#{name}" if name.isdigit() else name] += 1
    return found


# -------------------------------------------------------------------------------------------------
# against what was read by eye


def _verify(mirror: Path, contest: Contest) -> int:
    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))
    repository, wrong, values = Repository(mirror), 0, 0
    for one in expected["folders"]:
        commit = repository.commit(one["ref"])
        if commit is None:
            raise SystemExit(f"{mirror}: no {one['ref']}")
        claims = _claims(mirror, commit, one["folder"], contest)
        read = _read_again(claims)
        for name, value in one["values"].items():
            values += 1
            if read.get(name) != value:
                wrong += 1
                print(f"{one['ref']} {one['folder']}: {name} is {value}, read as {read.get(name)}")
    print(f"{len(expected['folders'])} folders, {values} values, {wrong} differ")
    return 1 if wrong else 0


def _read_again(claims: Claims) -> dict[str, float | str | None]:
    """Named as in the file of expected values: "submission.json val_bpb", "train.log train_s"."""
    read: dict[str, float | str | None] = {}
    for number in claims.declared.numbers.values():
        read[f"{claims.declared.file} {number.name}"] = number.value
    for log in claims.logs:
        name = PurePosixPath(log.file).as_posix()
        for number in (several[-1] for several in log.numbers.values()):
            read[f"{name} {number.name}"] = round(number.value, 6)
        if log.headline is not None:
            read[f"{name} val_bpb"] = log.headline.bits_per_byte
            read[f"{name} val_loss"] = log.headline.nats_per_token
            read[f"{name} line"] = log.headline.place.line
    return read


if __name__ == "__main__":
    sys.exit(main())
