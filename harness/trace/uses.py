"""When positions of the stream were first used by an update, and when their score was fixed."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.arrays import Ints

NEVER = -1
INTERLEAVED = 0.2  # of the early uses lie inside the pass: use and score take turns


@dataclass(frozen=True)
class Uses:
    """When positions were first used by an update; T rows, one a stream position."""

    first_used: Ints  # (T,) event; NEVER
    scored_at: Ints  # (T,) event; NEVER
    weights_seen: Ints | None = None  # (T,) event at which the weights that counted were first seen
    transient: npt.NDArray[np.bool_] | None = None  # (T,) the first use stepped no Parameter
    before: "Uses | None" = None  # the first of all, where `first_used` is a later one, in the pass
