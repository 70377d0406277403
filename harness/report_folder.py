"""The folder that one evaluation writes: chosen, held while it writes, emptied of what an earlier
one left.

Guarantees: two evaluations never write the same folder, be they of one submission or of two of the
same name; an older report is gone before the new evaluation starts; a file that no evaluation of
ours wrote is never removed; a report never becomes part of its submission. Does not cover file
systems without locks between processes.

MARK is both the lock, held until the end of this process' use, and the note of whose report the
folder holds. A folder without it is nobody's: what lies there under our names stays.
"""

import fcntl
import itertools
import os
import re
from pathlib import Path
from typing import Self

from harness.closing import Closing
from harness.errors import UsageError
from harness.sandbox import quota

MARK = ".scorefirst-report"
OURS = ("report.json", "report.md", "runs", "main", "source")  # everything that is written there
HOME = Path("reports")  # below the working directory, where no folder was named


class _Taken(Exception):
    """The folder is another's; the message says whose."""


class ReportFolder(Closing):
    """A folder that is ours alone until it is closed."""

    def __init__(self, path: Path, submission: Path, *, of_anybody: bool) -> None:
        """`of_anybody`: an earlier report may be that of another submission. Raises _Taken."""
        self.path = path
        if not (path / MARK).exists() and (present := self._present()):
            raise _Taken(
                f"it holds {', '.join(present)}, which no evaluation is known to have made"
            )
        path.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(path / MARK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            self._hold()
            self._make_room(str(submission.resolve()), of_anybody)
        except BaseException:
            self.close()
            raise

    @classmethod
    def named(cls, path: Path, submission: Path) -> Self:
        """The folder that the caller named. Raises UsageError where it cannot be used."""
        if _inside(path, submission):
            raise UsageError(
                f"--out {path}: lies in the submission's own folder, and would be taken for a part"
                " of it; name another folder"
            )
        try:
            return cls(path, submission, of_anybody=True)
        except _Taken as taken:
            raise UsageError(f"--out {path}: {taken}; name another folder") from taken
        except OSError as error:
            raise UsageError(f"--out {path}: cannot be written ({error.strerror})") from error

    @classmethod
    def unnamed(cls, submission: Path, seed: int) -> Self:
        """`reports/NAME-SEED`, or the first of `reports/NAME-SEED-2`, -3, ... that is neither in
        use nor another submission's; beside the submission where we are called from inside it.
        """
        home = submission.resolve().parent / HOME if _inside(HOME, submission) else HOME
        name = f"{_slug(submission)}-{seed}"
        for number in itertools.count(1):
            path = home / (name if number == 1 else f"{name}-{number}")
            try:
                return cls(path, submission, of_anybody=False)
            except _Taken:
                continue
            except OSError as error:
                raise UsageError(
                    f"{path}: cannot be written ({error.strerror}); name a folder with --out"
                ) from error
        raise AssertionError("numbers do not end")

    def close(self) -> None:
        """Lets the next evaluation in."""
        os.close(self._lock)

    def _present(self) -> list[str]:
        return [name for name in OURS if os.path.lexists(self.path / name)]

    def _hold(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _Taken("another evaluation is writing there") from error

    def _make_room(self, owner: str, of_anybody: bool) -> None:
        """Removes the older report, and notes whose folder it is now."""
        before = os.pread(self._lock, 1 << 16, 0).decode("utf-8", "replace").strip()
        if before not in ("", owner) and not of_anybody:
            raise _Taken(f"it holds the report of {before}")
        for name in self._present():
            _remove(self.path / name)
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{owner}\n".encode(), 0)


def _inside(path: Path, submission: Path) -> bool:
    return submission.is_dir() and path.resolve().is_relative_to(submission.resolve())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        quota.remove(path)
    else:
        path.unlink()


def _slug(submission: Path) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", submission.resolve().name) or "submission"
