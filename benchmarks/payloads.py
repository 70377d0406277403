"""Whether every self-extracting script of a contest opens:

    python benchmarks/payloads.py REPO [--refs PATTERN] [--skip-refs FILE] [--json FILE]

REPO is a git directory with the pull requests' heads. Every Python file of every submission is
read, each distinct content once. Printed: how many carry a payload and how many of these open, the
ones that do not with the reason, and the ones that decode and run something yet were not taken for
a wrapper, for a person to look at. Exit code 1 when a payload stays shut.

Guarantees: payloads are decoded from their literals, nothing of a submission runs.
Does not cover: payloads in files other than Python.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from audits.corpus.patterns import matches, patterns_in
from audits.corpus.repository import BlobReader, MissingObject, Repository
from audits.corpus.submissions import Finder
from audits.source import MAX_BYTES, Outcome, Source, from_bytes

DECODES = (b"b85decode", b"b64decode", b"a85decode", b"decompress(")
RUNS = (b"exec(", b"runpy", b"execv")
FEW = 3  # functions that a wrapper may define
LONG_LINE = 4_000  # characters; code that people write has none


def python_files(
    repo: Path, refs: list[str], skip: Path | None
) -> Iterator[tuple[str, str, bytes]]:
    """Each distinct Python file once: the ref, its path and its content."""
    repository = Repository(repo)
    base = repository.commit("main")
    if base is None:
        raise SystemExit(f"{repo}: no branch main")
    finder, reader, seen = Finder(repository, base), BlobReader(repo), set()
    skipped = patterns_in(skip)
    for ref in repository.refs(refs):
        for submission in () if matches(ref, skipped) else finder.find(ref):
            for blob in submission.blobs:
                if not blob.path.endswith(".py") or blob.id in seen:
                    continue
                seen.add(blob.id)
                path = f"{submission.folder}/{blob.path}".lstrip("/")
                try:
                    if reader.size(blob.id) <= MAX_BYTES:
                        yield ref.name, path, reader.read(blob.id)
                except MissingObject:
                    print(f"{ref.name} {path}: not in this clone", file=sys.stderr)
    reader.close()


def may_be_packed(content: bytes) -> bool:
    """False for code as people write it, which needs no parsing: functions, and no decoder."""
    return any(word in content for word in DECODES[:3]) or content.count(b"def ") <= FEW


def overlooked(content: bytes, source: Source) -> bool:
    """Whether a file looks like a wrapper to the eye but not to the reader."""
    packed = any(word in content for word in DECODES) and any(word in content for word in RUNS)
    long = max(map(len, content.split(b"\n")), default=0) > LONG_LINE
    return source.wrapper_line is None and packed and long


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("repo", type=Path)
    parser.add_argument("--refs", action="append", metavar="PATTERN")
    parser.add_argument("--skip-refs", type=Path, metavar="FILE")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    count = {"files": 0, "payloads": 0, "opened": 0}
    shut: list[str] = []
    doubtful: list[str] = []
    refs = options.refs or ["refs/pull/*/head"]
    for ref, path, content in python_files(options.repo.resolve(), refs, options.skip_refs):
        count["files"] += 1
        if not may_be_packed(content):
            continue
        source = from_bytes(content)
        if source.wrapper_line is not None:
            count["payloads"] += 1
            count["opened"] += source.outcome is Outcome.UNPACKED
            if source.outcome is not Outcome.UNPACKED:
                shut.append(f"{ref} {path}: {source.outcome}, {source.note}")
        elif overlooked(content, source):
            doubtful.append(f"{ref} {path}")
    print(f"{count['files']} Python files, {count['payloads']} payloads, {count['opened']} open")
    for title, lines in (("shut", shut), ("not taken for a wrapper", doubtful)):
        for line in lines:
            print(f"  {title}: {line}")
    if options.json:
        found = {**count, "shut": shut, "not_taken_for_a_wrapper": doubtful}
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 1 if shut else 0


if __name__ == "__main__":
    sys.exit(main())
