"""When positions of the stream were first used by an update."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.arrays import Ints

NEVER = np.iinfo(np.int64).max  # later than every event, so that times compare as they are
INTERLEAVED = 0.2  # of the early uses lie inside the pass: use and score take turns


@dataclass(frozen=True)
class Uses:
    """When positions were first used by an update; T rows, one a stream position."""

    first_used: Ints  # (T,) event; NEVER
    # (T,) event at which the weights behind the score were first seen; NEVER: not known
    weights_seen: Ints | None = None
    transient: npt.NDArray[np.bool_] | None = None  # (T,) the first use stepped no Parameter
    before: "Uses | None" = None  # the first of all, where `first_used` is a later one, in the pass
