"""The folder that one evaluation writes: chosen, held while it writes, emptied of what an earlier
one left.

Guarantees: two evaluations never write the same folder, be they of one submission or of two of the
same name; an older report is gone before the new evaluation starts; a file or folder that no
evaluation made there is never removed or written, and no link is followed to one; a report never
becomes part of its submission, nor the submission of what a report replaces. Does not cover file
systems without locks between processes, and files that were put into a folder that we made.

MARK is both the lock, held until the end of this process' use, and the note of whose report the
folder holds and which of OURS that evaluation made. What it does not list is nobody's, and stays.
"""

import errno
import fcntl
import itertools
import json
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from harness.closing import Closing
from harness.errors import UsageError
from harness.sandbox import quota

MARK = ".scorefirst-report"
REPORTS = ("report.json", "report.json.new", "report.md")
LOGS = ("main.log", "twin.log", "source.log", "source-draw.log")  # of a predictor's workers
OURS = (
    *REPORTS,
    *LOGS,
    "runs",
    "ledger",
    "main",
    "twin",
    "source",
)  # everything that is written there
HOME = Path("reports")  # below the working directory, where no folder was named
NOTE_BYTES = 1 << 16


class _Taken(Exception):
    """The folder is another's; the message says whose."""


@dataclass(frozen=True)
class _Note:
    """What MARK says."""

    owner: str  # the submission's path
    made: Sequence[str]  # of OURS

    @classmethod
    def read(cls, mark: int) -> Self:
        """One that cannot be read lists nothing."""
        try:
            found = json.loads(os.pread(mark, NOTE_BYTES, 0))
            return cls(str(found["owner"]), [name for name in OURS if name in found["made"]])
        except (ValueError, LookupError, TypeError):
            return cls("", ())

    def write(self, mark: int) -> None:
        os.ftruncate(mark, 0)
        words = {"owner": self.owner, "made": [*self.made]}
        os.pwrite(mark, f"{json.dumps(words)}\n".encode(), 0)


class ReportFolder(Closing):
    """A folder that is ours alone until it is closed."""

    def __init__(self, path: Path, submission: Path, *, of_anybody: bool) -> None:
        """`of_anybody`: an earlier report may be that of another submission. Raises _Taken."""
        self.path, self._owner = path, str(submission.resolve())
        _keep_submission(path, submission)
        if not os.path.lexists(path / MARK):
            self._refuse_strange(())
        path.mkdir(parents=True, exist_ok=True)
        self._mark = _opened(path / MARK)
        try:
            self._hold()
            self._make_room(of_anybody)
        except BaseException:
            os.close(self._mark)
            raise

    @classmethod
    def chosen(cls, out: Path | None, submission: Path, seed: int | None) -> Self:
        """The folder that was named, or one of our choice; `seed`: where the caller named one."""
        return cls.unnamed(submission, seed) if out is None else cls.named(out, submission)

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
    def unnamed(cls, submission: Path, seed: int | None) -> Self:
        """`reports/NAME-SEED` (without a seed, `reports/NAME`), or the first of that with -2, -3,
        ... that is neither in use nor another submission's; beside the submission where we are
        called from inside it.
        """
        home = submission.resolve().parent / HOME if _inside(HOME, submission) else HOME
        name = _slug(submission) + ("" if seed is None else f"-{seed}")
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
        """Lets the next evaluation in, and tells it what there is to remove."""
        _Note(self._owner, self._present()).write(self._mark)
        os.close(self._mark)

    def _present(self) -> list[str]:
        return [name for name in OURS if os.path.lexists(self.path / name)]

    def _hold(self) -> None:
        try:
            fcntl.flock(self._mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _Taken("another evaluation is writing there") from error

    def _refuse_strange(self, made: Sequence[str]) -> None:
        strange = [name for name in self._present() if name not in made]
        if strange:
            named = ", ".join(strange)
            raise _Taken(f"it holds {named}, which no evaluation is known to have made")

    def _make_room(self, of_anybody: bool) -> None:
        """Removes the older report, and notes whose folder it is now."""
        before = _Note.read(self._mark)
        if before.owner not in ("", self._owner) and not of_anybody:
            raise _Taken(f"it holds the report of {before.owner}")
        self._refuse_strange(before.made)
        for name in self._present():
            _remove(self.path / name)
        _Note(self._owner, OURS).write(self._mark)  # until it is known which, should we be killed


def _opened(mark: Path) -> int:
    """Raises _Taken where it is no file of ours alone: writing it would write another's."""
    try:
        opened = os.open(mark, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR):
            raise _Taken(f"its {MARK} is no plain file") from error
        raise
    found = os.fstat(opened)
    if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
        return opened
    os.close(opened)
    raise _Taken(f"its {MARK} is no plain file, or has another name too")


def _keep_submission(path: Path, submission: Path) -> None:
    """Raises _Taken where making room would remove the submission, or the link to it."""
    home = path.resolve()
    places = {submission.resolve(), submission.absolute().parent.resolve() / submission.name}
    for place in places:
        if any(place.is_relative_to(home / name) for name in OURS):
            raise _Taken(f"the submission lies in it ({place}), where a report would replace it")


def _inside(path: Path, submission: Path) -> bool:
    return submission.is_dir() and path.resolve().is_relative_to(submission.resolve())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        quota.remove(path)
    else:
        path.unlink()


def _slug(submission: Path) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", submission.resolve().name) or "submission"
