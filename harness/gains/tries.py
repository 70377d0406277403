"""A log of tries as loops of agents write it: one line a try, tab-separated, lower is better.

    commit  val_bpb  memory_gb  status  description

Guarantees: crashes are no tries that gave a number; a row that cannot be read is named with its
line. Does not cover: what was tried and not written down, and numbers that were typed.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError

KEEP = "keep"
VALUE_COLUMNS = ("val_bpb", "val_loss", "bpb", "loss")
MAX_BYTES = 16 << 20


@dataclass(frozen=True)
class Try:
    """One try that gave a number."""

    line: int  # of the file
    commit: str
    value: float
    kept: bool
    description: str

    @property
    def of_seed(self) -> bool:
        """Its description says that nothing but the seed is another one."""
        return "seed" in self.description.lower()


def read_tries(path: Path) -> list[Try]:
    """In the order of the file. Raises UsageError that names line and cause."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"{path}: more than {MAX_BYTES >> 20} MB; give a log of tries")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); give a tab-separated log") from error
    rows = list(csv.reader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    names = [name.strip().lower() for name in rows[0]] if rows else []
    column = next((names.index(name) for name in VALUE_COLUMNS if name in names), None)
    if column is None or "status" not in names:
        wanted = "commit, val_bpb, memory_gb, status, description"
        raise UsageError(f"{path}: line 1 names no val_bpb and status; write {wanted}")
    found = [
        _try(path, number, row, names, column) for number, row in enumerate(rows[1:], 2) if row
    ]
    tries = [one for one in found if one is not None]
    if len(tries) < 2:
        raise UsageError(f"{path}: {len(tries)} tries with a number; a gain needs two")
    return tries


def _try(path: Path, line: int, row: Sequence[str], names: list[str], column: int) -> Try | None:
    """None of a crash."""
    cells = dict(zip(names, row, strict=False))
    status = cells.get("status", "").strip().lower()
    if status == "crash":
        return None
    try:
        value = float(row[column])
    except (ValueError, IndexError) as error:
        raise UsageError(f"{path}: line {line}: no number under {names[column]}") from error
    if not math.isfinite(value) or value <= 0:
        return None
    commit, text = cells.get("commit", "").strip(), cells.get("description", "").strip()
    return Try(line, commit, value, status == KEEP, text)
