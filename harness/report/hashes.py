"""What a report says of files, so that a stranger can tell whether they are the same: hashes.

Guarantees: SHA-256 of a file's bytes; of a folder, of the paths and bytes of its files that count
as code. Does not cover files beyond LARGEST bytes, whose size is a finding.
"""

import hashlib
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

LARGEST = 1 << 30
LIBRARIES = ("numpy", "torch")  # whose versions move scores


def file_sha256(path: Path) -> str | None:
    """None of one that is too large, or not there."""
    if not path.is_file() or path.stat().st_size > LARGEST:
        return None
    return sha256_of(path)


def sha256_of(path: Path) -> str:
    """Of a file of any size. Raises OSError where there is none."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def evidence_sha256(
    home: Path,
    names: Iterable[str],  # paths relative to `home`
) -> dict[str, str | None]:
    """Of the files beside a report."""
    return {name: file_sha256(home / name) for name in names}


def folder_sha256(folder: Path, files: Iterable[Path]) -> str:
    """One hash of all of them."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(folder)}\0{file_sha256(path)}\0".encode())
    return digest.hexdigest()


def library_versions() -> Mapping[str, str]:
    """Nothing is imported for it."""
    return {name: metadata.version(name) for name in LIBRARIES}
