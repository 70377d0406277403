"""Bounds what a run may leave on the disk.

A script that writes more than a quota into its stage, or brings the disk near its end, is stopped;
looked at twice a second. Does not cover what it writes between two looks.
"""

import os
from pathlib import Path

STAGE_BYTES = 16 << 30  # real runs leave below 1 GB
STAGE_FILES = 100_000
FREE_BYTES = 1 << 30  # or half of what was free at the start, if that is less


class DiskWatch:
    """Compares a folder and its disk with their limits."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._least_free = min(FREE_BYTES, _free(folder) // 2)

    def overrun(self) -> str:
        """The limit that is passed; empty while there is none."""
        n_bytes, n_files = _usage(self._folder)
        if n_bytes > STAGE_BYTES:
            return f"filled its folder with more than {STAGE_BYTES >> 30} GiB"
        if n_files >= STAGE_FILES:
            return f"filled its folder with more than {STAGE_FILES} files"
        if self._folder.exists() and _free(self._folder) < self._least_free:
            return "the disk is nearly full"
        return ""


def _free(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def _usage(folder: Path) -> tuple[int, int]:
    """Bytes on the disk and number of files; stops counting at the limit of files."""
    n_bytes = n_files = 0
    for root, _, files in os.walk(folder):
        for name in files:
            n_files += 1
            try:
                n_bytes += os.lstat(os.path.join(root, name)).st_blocks * 512
            except OSError:  # deleted meanwhile
                continue
        if n_files >= STAGE_FILES:
            break
    return n_bytes, n_files
