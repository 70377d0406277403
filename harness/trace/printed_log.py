"""The log of a run as text: everything that the script printed, as far as it is read.

Guarantees: no more than `HEAD_BYTES` and `TAIL_BYTES` of it; lines keep their numbers, as what is
left out in the middle leaves its line ends. Does not cover what lines mean.
"""

from pathlib import Path

HEAD_BYTES = 2 << 20  # holds an echo of the source
TAIL_BYTES = 6 << 20  # the largest real log of the contest is below 10 MB
LINES_MOST = 1 << 20  # that are kept empty


def read_log(path: Path) -> str:
    """Empty where there is none."""
    if not path.exists():
        return ""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= HEAD_BYTES + TAIL_BYTES:
            return file.read(size).decode("utf-8", "replace")
        head = file.read(HEAD_BYTES)
        left, ends = size - HEAD_BYTES - TAIL_BYTES, 0
        while left > 0 and (part := file.read(min(left, HEAD_BYTES))):
            ends += part.count(b"\n")
            left -= len(part)
        middle = b"\n" * min(ends, LINES_MOST)
        return (head + middle + file.read(TAIL_BYTES)).decode("utf-8", "replace")
