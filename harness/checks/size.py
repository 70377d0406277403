"""BUDGET-1: code bytes plus artifact bytes against 16,000,000, decimal, raw bytes as shipped.

Reading (R) of rule BUDGET-2. Our own engines are the harness's code, not the submission's.
"""

from dataclasses import dataclass

from harness.checks.status import Finding, Level, Status

LIMIT_BYTES = 16_000_000


@dataclass(frozen=True)
class Size:
    """What counts."""

    code_bytes: int
    artifact_bytes: int

    @property
    def total_bytes(self) -> int:
        """Counted bytes."""
        return self.code_bytes + self.artifact_bytes


def check_size(size: Size) -> Finding:
    """The status of BUDGET-1."""
    over = size.total_bytes > LIMIT_BYTES
    text = (
        f"{size.code_bytes:,} code + {size.artifact_bytes:,} artifact = {size.total_bytes:,} bytes"
        f" {'exceed' if over else 'of'} {LIMIT_BYTES:,}"
    )
    return Finding("BUDGET-1", Status.FAIL if over else Status.PASS, Level.READ, text)
