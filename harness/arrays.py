"""The array types of this package, by what they hold; shapes stand where they are parameters."""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Tokens = npt.NDArray[np.int64]  # ids of an alphabet
Nats = npt.NDArray[np.float64]  # code lengths, or logarithms of probabilities
