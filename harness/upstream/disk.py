"""Bounds what a run may leave on the disk.

A script that writes more than a quota into its stage, or brings the disk near its end, is stopped;
looked at twice a second. Does not cover what it writes between two looks.
"""

import os
from pathlib import Path

from harness.upstream.job import Quota

FREE_BYTES = 1 << 30  # or half of what was free at the start, if that is less


class DiskWatch:
    """Compares a folder and its disk with their limits."""

    def __init__(self, folder: Path, quota: Quota) -> None:
        self._folder, self._quota = folder, quota
        self._least_free = min(FREE_BYTES, _free(folder) // 2)

    def overrun(self) -> str:
        """The limit that is passed; empty while there is none."""
        most_bytes, most_files = self._quota.stage_bytes, self._quota.stage_files
        n_bytes, n_files = _usage(self._folder, most_files)
        if n_bytes > most_bytes:
            return f"filled its folder with more than {most_bytes:,} bytes"
        if n_files > most_files:
            return f"filled its folder with more than {most_files:,} files"
        # The parent: where no wall keeps it from that, a script may delete its folder.
        if _free(self._folder.parent) < self._least_free:
            return "the disk is nearly full"
        return ""


def _free(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def _usage(folder: Path, most_files: int) -> tuple[int, int]:
    """Bytes on the disk and number of files; stops counting past `most_files`."""
    n_bytes = n_files = 0
    for root, _, files in os.walk(folder):
        for name in files:
            n_files += 1
            try:
                n_bytes += os.lstat(os.path.join(root, name)).st_blocks * 512
            except OSError:  # deleted meanwhile
                continue
        if n_files > most_files:
            break
    return n_bytes, n_files
