"""A git repository read through git's own plumbing: refs, differences, trees, blobs.

Guarantees: read only, and offline: an object that a partial clone lacks is reported as missing,
never fetched.
Does not cover: submodules and symbolic links; trees list them, nobody follows them.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_EMPTY_TREE: Final = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # every git repository knows it
_OFFLINE: Final = {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none", "GIT_PROTOCOL": ""}
_REGULAR: Final = ("100644", "100755", "100664")


class RepositoryError(Exception):
    """The repository or one of its refs cannot be read; the text says which and why."""


class MissingObject(Exception):
    """An object that this clone does not hold."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A name and the commit it points to."""

    name: str
    commit: str


@dataclass(frozen=True, slots=True)
class Blob:
    """A regular file of a tree."""

    path: str
    id: str


class Repository:
    """What git knows, one short process a question."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_dir() or self._try("rev-parse", "--git-dir") is None:
            raise RepositoryError(f"{path}: not a git repository; give a clone, bare or not")

    def refs(self, patterns: Sequence[str]) -> list[Ref]:
        """The commits that the patterns name, in git's order; an exact name counts as well."""
        found: dict[str, Ref] = {}
        for pattern in patterns:
            layout = "%(refname) %(objecttype) %(objectname) %(*objectname)"
            lines = self._git("for-each-ref", f"--format={layout}", "--", pattern).splitlines()
            for name, kind, own, *peeled in (line.split(" ") for line in lines):
                if kind == "commit" or (peeled and peeled[0]):
                    found[name] = Ref(name, own if kind == "commit" else peeled[0])
            if not lines and (commit := self.commit(pattern)) is not None:
                found[pattern] = Ref(pattern, commit)
        return list(found.values())

    def commit(self, name: str) -> str | None:
        verified = self._try("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        return verified.strip() if verified else None

    def merge_base(self, one: str, other: str) -> str | None:
        found = self._try("merge-base", one, other)
        return found.strip() if found else None

    def mainline(self, tip: str) -> list[str]:
        """The first parents of a branch, newest first: what it was before each merge."""
        return self._git("rev-list", "--first-parent", tip).split()

    def after(self, commit: str, tip: str) -> set[str]:
        """The commits between the two that descend from the first."""
        return set(self._git("rev-list", "--ancestry-path", f"{commit}..{tip}").split())

    def changed(self, base: str | None, head: str, names: Sequence[str]) -> list[str]:
        """Files of these names that the head adds or changes; against nothing: all it has."""
        globs = [f":(glob)**/{name}" for name in names]
        words = ("-r", "-z", "--no-renames", "--name-only", "--diff-filter=AMT")
        out = self._git("diff-tree", *words, base or _EMPTY_TREE, head, "--", *globs)
        return [path for path in out.split("\0") if path]

    def blobs(self, commit: str, folder: str) -> Iterator[Blob]:
        """The regular files below a folder; of the root, only those that lie in it directly."""
        words = ("-r", "-z", "--full-tree", commit) if folder else ("-z", "--full-tree", commit)
        out = self._git("ls-tree", *words, *((f"{folder}/",) if folder else ()))
        for line in out.split("\0"):
            meta, _, path = line.partition("\t")
            if meta.split(" ", 1)[0] in _REGULAR:
                yield Blob(path, meta.split(" ")[2])

    def _git(self, *words: str) -> str:
        done = self._run(words)
        if done.returncode:
            problem = done.stderr.decode("utf-8", "replace").strip()
            raise RepositoryError(f"{self.path}: git {words[0]}: {problem}")
        return done.stdout.decode("utf-8", "surrogateescape")

    def _try(self, *words: str) -> str | None:
        done = self._run(words)
        return None if done.returncode else done.stdout.decode("utf-8", "surrogateescape")

    def _run(self, words: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
        command = ["git", "-C", str(self.path), *words]
        return subprocess.run(command, capture_output=True, check=False, env=_environment())


class BlobReader:
    """One `git cat-file --batch` and its twin that only tells sizes, kept open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sizes = self._open("--batch-check")
        self._contents = self._open("--batch")

    def size(self, blob: str) -> int:
        """Bytes of a blob. Raises MissingObject."""
        try:
            return _size(_ask(self._sizes, blob))
        except MissingObject:
            self._sizes = self._reopened(self._sizes, "--batch-check")
            raise

    def read(self, blob: str) -> bytes:
        """The whole blob. Raises MissingObject."""
        try:
            size = _size(_ask(self._contents, blob))
        except MissingObject:
            self._contents = self._reopened(self._contents, "--batch")
            raise
        assert self._contents.stdout is not None
        return self._contents.stdout.read(size + 1)[:size]  # git ends each with a line feed

    def close(self) -> None:
        for process in (self._sizes, self._contents):
            process.communicate()

    def _open(self, mode: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["git", "-C", str(self.path), "cat-file", mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        )

    def _reopened(self, process: subprocess.Popen[bytes], mode: str) -> subprocess.Popen[bytes]:
        """A partial clone that cannot fetch makes git die; the next question needs a new one."""
        if process.poll() is None:
            return process
        process.communicate()
        return self._open(mode)


def _ask(process: subprocess.Popen[bytes], blob: str) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(blob.encode() + b"\n")
        process.stdin.flush()
        answer = process.stdout.readline()
    except BrokenPipeError:
        answer = b""
    if not answer:
        process.wait()
    return answer


def _size(answer: bytes) -> int:
    words = answer.split()
    if len(words) != 3 or words[1] != b"blob":
        raise MissingObject(answer.decode("utf-8", "replace").strip())
    return int(words[2])


def _environment() -> dict[str, str]:
    return {**os.environ, **_OFFLINE, "LC_ALL": "C"}
