"""Which submissions a ref brings: the folders whose script or manifest it adds or changes.

Guarantees: what a pull request inherits from the branch it started from is not its own; a pull
request that was merged is compared with the branch as it was before the merge.
Does not cover: submissions without a `train_gpt.py` and without a `submission.json`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from audits.corpus.repository import Blob, Ref, Repository

MARKS: Final = ("train_gpt.py", "submission.json")


@dataclass(frozen=True)
class Submission:
    """One folder at one head, and the files in it."""

    ref: str
    head: str  # commit
    folder: str  # "" for the top of the repository
    blobs: tuple[Blob, ...]  # paths relative to the folder

    @cached_property
    def key(self) -> str:
        """Equal exactly when the files are: names and contents."""
        lines = "".join(f"{blob.id} {blob.path}\0" for blob in self.blobs)
        return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.ref, self.head, self.folder


class Finder:
    """Compares heads with one base branch."""

    def __init__(self, repository: Repository, base: str) -> None:
        self.repository = repository
        self.base = base  # commit
        self._mainline = repository.mainline(base)

    def find(self, ref: Ref) -> Iterator[Submission]:
        """The submissions of a ref, in path order."""
        start = self._start(ref.commit)
        paths = self.repository.changed(start, ref.commit, MARKS)
        for folder in sorted({path.rpartition("/")[0] for path in paths}):
            skip = len(folder) + 1 if folder else 0
            blobs = (
                Blob(blob.path[skip:], blob.id)
                for blob in self.repository.blobs(ref.commit, folder)
            )
            yield Submission(ref.name, ref.commit, folder, tuple(blobs))

    def _start(self, head: str) -> str | None:
        """Where the head left the base branch; None for the branch itself: all of it is its own."""
        if head == self.base:
            return None
        fork = self.repository.merge_base(self.base, head)
        if fork != head:
            return fork or self.base
        later = self.repository.after(head, self.base)
        inside = [commit for commit in self._mainline if commit in later or commit == head]
        before = self.repository.commit(f"{inside[-1]}^1") if inside else None
        return self.repository.merge_base(before, head) if before else None
