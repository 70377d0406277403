"""How much memory a process of a run may take, and how much it has taken.

The kernel refuses a process more of its own (RLIMIT_DATA); memory that it maps as shared is counted
nowhere, so it is looked at. Only on a CPU: CUDA reserves address space by the terabyte. Does not
cover the sum over processes: the first to go when the machine's memory runs out are those of a run.
"""

import os
import re
from pathlib import Path

from harness.protocol.confinement import Confinement

MEMORY_SHARE = 0.8  # of the machine's, a process
_RESIDENT = re.compile(r"^Rss(?:Anon|Shmem):\s+(\d+) kB$", re.MULTILINE)


def most_memory(confinement: Confinement) -> int | None:
    """Bytes; None: without a limit."""
    if confinement.device != "cpu":
        return None
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(int(machine * MEMORY_SHARE), confinement.quota.memory_bytes)


def resident_bytes(process: int) -> int:
    """Its own and its shared memory, without the files that it maps; 0 of one that has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    return sum(int(size) << 10 for size in _RESIDENT.findall(status))
