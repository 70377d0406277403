"""Results on disk: one JSON line per submission, appended as it is known.

Guarantees: a line that was written survives kill -9; a line cut in half by it is dropped and done
again; results of another scanner, profile or rule set are never mixed in.
Does not cover: loss of power, which may take the last seconds.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import sys
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import IO, Any, Final

from audits.corpus.repository import RepositoryError
from audits.corpus.submissions import Submission

RESULTS: Final = "results.jsonl"
SCHEMA_VERSION: Final = 1
AGAIN: Final = ("error", "timeout")  # tried again when a run is resumed; the later line counts
_ASIDE: Final = ("corpus", "output", "__pycache__")  # show results, do not make them

Record = dict[str, Any]  # see schemas/corpus.schema.json
Identity = tuple[str, str, str]


class Store:
    """The lines of one folder, open for appending."""

    def __init__(self, folder: Path, profile: str, rules: tuple[str, ...]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / RESULTS
        self.records: dict[Identity, Record] = {}
        self.by_key: dict[str, Record] = {}
        self._file: IO[str] = self._opened()
        header = {
            "schema_version": SCHEMA_VERSION,
            "scanner": scanner_digest(),
            "profile": profile,
            "rules": list(rules),
        }
        self._load(header)

    def add(self, submission: Submission, result: Record) -> None:
        """Appends a line, and hands it to the operating system before it returns."""
        record = {
            "ref": submission.ref,
            "head": submission.head,
            "folder": submission.folder,
            "key": submission.key,
            **result,
        }
        self._append(record)
        self._remember(record)

    def result_of(self, key: str) -> Record | None:
        """What is known of a content, without whose it is."""
        known = self.by_key.get(key)
        if known is None:
            return None
        return {k: v for k, v in known.items() if k not in ("ref", "head", "folder", "key")}

    def close(self) -> None:
        self._file.close()

    def _opened(self) -> IO[str]:
        file = self.path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise RepositoryError(f"{self.path}: another run writes here") from error
        return file

    def _load(self, header: Record) -> None:
        whole = _whole_lines(self.path)
        if not whole:
            self._file.truncate(0)
            self._append(header)
            return
        self._file.truncate(sum(len(line) for line in whole))
        if json.loads(whole[0]) != header:
            self.close()
            raise RepositoryError(
                f"{self.path}: made by another version of the scanner, another profile or other "
                "rules; give a new --out, or remove the file"
            )
        for line in whole[1:]:
            record = json.loads(line)
            if record["status"] not in AGAIN:
                self._remember(record)

    def _remember(self, record: Record) -> None:
        self.records[record["ref"], record["head"], record["folder"]] = record
        self.by_key.setdefault(record["key"], record)

    def _append(self, record: Record) -> None:
        self._file.write(json.dumps(record, separators=(",", ":")) + "\n")
        self._file.flush()


def _whole_lines(path: Path) -> list[bytes]:
    """Every line but one that a kill cut short."""
    lines = path.read_bytes().split(b"\n")
    return [line + b"\n" for line in lines[:-1]]


def scanner_digest() -> str:
    """A name for what the scanner would say: its code, its rules, its Python."""
    digest = hashlib.sha256("{}.{}".format(*sys.version_info).encode())
    for file in _sources(files("audits")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def _sources(folder: Traversable) -> Iterator[Traversable]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir() and entry.name not in _ASIDE:
            yield from _sources(entry)
        elif entry.name.endswith((".py", ".toml")):
            yield entry
