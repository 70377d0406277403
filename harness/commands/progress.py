"""How far a long phase is: a bar on a terminal; in a log, a line each half minute at most."""

import sys
from collections.abc import Callable
from typing import Any

from tqdm import tqdm


def progress(phase: str, total: int) -> Callable[[int], None]:
    """The function that is told how many tokens more are done."""
    bar: Any = tqdm(
        total=total,
        desc=f"{phase:>12}",
        unit="tok",
        file=sys.stderr,
        mininterval=0.5 if sys.stderr.isatty() else 30.0,
    )

    def advance(n: int) -> None:
        bar.update(n)
        if bar.n >= total:
            bar.close()

    return advance
