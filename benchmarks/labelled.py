"""Labelled submissions: which rules name which class, and a folder as it was at a commit.

Read by the commands beside it; not a command itself. Nothing is checked out or fetched: blobs that
the git directory lacks are left out and returned.
"""

from __future__ import annotations

import tomllib
from pathlib import Path, PurePosixPath

from audits.corpus.repository import BlobReader, MissingObject, Repository

CLASSES: dict[str, list[str]] = tomllib.loads(
    Path(__file__).with_name("classes.toml").read_text(encoding="utf-8")
)


def extract(
    repo: Path,
    commit: str,
    folder: str,
    into: Path,
    largest: int | None = None,  # bytes of a file; None: any
) -> list[str]:
    """Writes the folder at the commit; returns what was left out. Raises RepositoryError."""
    reader, left_out = BlobReader(repo), []
    try:
        for blob in Repository(repo).blobs(commit, folder):
            place = into / PurePosixPath(blob.path).relative_to(folder)
            inside = place.resolve().is_relative_to(into.resolve())
            try:
                if not inside or (largest is not None and reader.size(blob.id) > largest):
                    left_out.append(blob.path)
                    continue
                content = reader.read(blob.id)
            except MissingObject:
                left_out.append(blob.path)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    finally:
        reader.close()
    return left_out
