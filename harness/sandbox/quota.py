"""Bounds what a run may leave on the disk, and takes away what it left.

A script that writes more than a quota into its folders, or brings the disk near its end, is
stopped; looked at twice a second. Does not cover what it writes between two looks.
Nothing here follows a link, or recurses: the depth of a folder is the script's choice.
"""

import contextlib
import itertools
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from harness.protocol.confinement import Quota

FREE_BYTES = 1 << 30  # or half of what was free at the start, if that is less


class DiskWatch:
    """Compares folders and their disk with their limits."""

    def __init__(self, stage: Path, outs: Sequence[Path], quota: Quota) -> None:
        self._folders, self._quota = (stage, *outs), quota
        self._disk = (
            stage.parent
        )  # not the stage: where isolation does not keep it, a script may delete that
        self._least_free = min(FREE_BYTES, _free(self._disk) // 2)

    def overrun(self) -> str:
        """The limit that is passed; empty while there is none."""
        most_bytes, most_files = self._quota.stage_bytes, self._quota.stage_files
        n_bytes, n_files = _usage(self._folders, most_files)
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


def _usage(folders: Sequence[Path], most_files: int) -> tuple[int, int]:
    """Bytes on the disk and number of files; stops counting past `most_files`."""
    n_bytes = n_files = 0
    left = [str(folder) for folder in folders]
    while left and n_files <= most_files:
        with contextlib.suppress(OSError), os.scandir(left.pop()) as entries:  # deleted meanwhile
            for entry in entries:
                n_files += 1
                n_bytes += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
    return n_bytes, n_files


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
