"""Bounds what a run may leave on the disk, and takes away what it left.

A script that writes more than a quota into its folders, holds so much in files that have no name
any more, makes a path that is too long to be looked at, or brings the disk near its end, is
stopped; looked at twice a second. Does not cover what it writes between two looks; files without a
name count where this process may look at the descriptors of another (its own, of the same user).
Nothing here follows a link, or recurses: the depth of a folder is the script's choice.
"""

import contextlib
import itertools
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from harness.protocol.confinement import Quota

LONGEST_PATH = 3_800  # bytes; Linux takes 4,095 in one call
FREE_BYTES = 1 << 30  # or half of what was free at the start, if that is less


class DiskWatch:
    """Compares folders and their disk with their limits."""

    def __init__(self, stage: Path, outs: Sequence[Path], quota: Quota) -> None:
        self._folders, self._quota = (stage, *outs), quota
        self._disk = (
            stage.parent
        )  # not the stage: where isolation does not keep it, a script may delete that
        self._device = os.stat(stage).st_dev
        self.most_bytes = 0  # that the folders held at any look
        self._least_free = min(FREE_BYTES, _free(self._disk) // 2)

    def overrun(self, processes: Sequence[int]) -> str:
        """The limit that is passed; empty while there is none. `processes`: those of the run."""
        most_bytes, most_files = self._quota.stage_bytes, self._quota.stage_files
        n_bytes, n_files, longest = _usage(self._folders, most_files)
        n_bytes += _nameless(processes, self._device)
        self.most_bytes = max(self.most_bytes, n_bytes)
        if longest > LONGEST_PATH:
            return f"made a path of more than {LONGEST_PATH:,} bytes in its folder"
        if n_bytes > most_bytes:
            return f"filled its folder with more than {most_bytes:,} bytes"
        if n_files > most_files:
            return f"filled its folder with more than {most_files:,} files"
        if _free(self._disk) < self._least_free:
            return "the disk is nearly full"
        return ""


def _free(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


class _Usage(NamedTuple):
    n_bytes: int  # on the disk
    n_files: int
    longest: int  # path, bytes


def _usage(folders: Sequence[Path], most_files: int) -> _Usage:
    """Stops counting past `most_files`, and below a path that is too long."""
    n_bytes = n_files = longest = 0
    left = [os.fsencode(folder) for folder in folders]
    while left and n_files <= most_files:
        longest = max(longest, len(left[-1]))
        if longest > LONGEST_PATH:
            break
        with contextlib.suppress(OSError), os.scandir(left.pop()) as entries:  # deleted meanwhile
            for entry in entries:
                n_files += 1
                n_bytes += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
    return _Usage(n_bytes, n_files, longest)


def _nameless(processes: Sequence[int], device: int) -> int:
    """Bytes of files on this device that processes hold open and no folder names any more."""
    found: dict[int, int] = {}
    for process in processes:
        with contextlib.suppress(OSError):  # it has ended, or we may not look
            for descriptor in os.listdir(f"/proc/{process}/fd"):
                with contextlib.suppress(OSError):  # it is closed by now
                    file = os.stat(f"/proc/{process}/fd/{descriptor}")
                    if file.st_nlink == 0 and file.st_dev == device and stat.S_ISREG(file.st_mode):
                        found[file.st_ino] = file.st_blocks * 512
    return sum(found.values())


def keep_plain_files(folder: Path) -> None:
    """Takes away all that is no plain file: a link or a pipe would trap whoever reads it."""
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                remove(Path(entry.path))
            elif not entry.is_file(follow_symlinks=False):
                os.unlink(entry.path)


def remove(folder: Path) -> None:
    """Takes a folder away, of any depth and whatever the modes of what is in it."""
    if folder.is_symlink():
        folder.unlink()
        return
    word, numbers = secrets.token_hex(8), itertools.count()
    os.chmod(folder, 0o700)
    while names := os.listdir(folder):
        for path in (folder / name for name in names):
            if path.is_symlink() or not path.is_dir():
                path.unlink()
                continue
            os.chmod(path, 0o700)
            # One level up with what is inside: no path is ever longer than this.
            for inner in os.listdir(path):
                if (path / inner).is_dir() and not (path / inner).is_symlink():
                    os.chmod(path / inner, 0o700)  # or it may not be moved
                os.rename(path / inner, folder / f"{word}-{next(numbers)}")
            path.rmdir()
    folder.rmdir()
