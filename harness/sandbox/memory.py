"""How much memory a run may take, and how much its processes have taken.

The kernel refuses a process more of its own (RLIMIT_DATA); memory that it maps as shared, and that
of many processes together, is counted nowhere, so it is looked at. Only on a CPU: CUDA reserves
address space by the terabyte. Does not cover what is taken between two looks: the first to go when
the machine's memory runs out are the processes of a run.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from harness.protocol.confinement import Confinement

MEMORY_SHARE = 0.8  # of the machine's
_RESIDENT = re.compile(r"^Rss(?:Anon|Shmem):\s+(\d+) kB$", re.MULTILINE)
_SHARE = re.compile(r"^Pss_(?:Anon|Shmem):\s+(\d+) kB$", re.MULTILINE)


def most_memory(confinement: Confinement) -> int | None:
    """Bytes; None: without a limit."""
    if confinement.device != "cpu":
        return None
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(int(machine * MEMORY_SHARE), confinement.quota.memory_bytes)


def taken_bytes(processes: Sequence[int], most: int) -> int:
    """By all of them, what several hold counted once; exact only where that may be above `most`,
    since exactness costs the kernel a walk over every page.
    """
    each = [resident_bytes(one) for one in processes]
    if max(each, default=0) > most or sum(each) <= most:
        return max(each, default=0)
    return sum(_counted(one, "smaps_rollup", _SHARE) for one in processes)


def resident_bytes(process: int) -> int:
    """Its own and its shared memory, without the files that it maps; 0 of one that has ended."""
    return _counted(process, "status", _RESIDENT)


def _counted(process: int, name: str, numbers: re.Pattern[str]) -> int:
    try:
        text = Path(f"/proc/{process}/{name}").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    return sum(int(size) << 10 for size in numbers.findall(text))
