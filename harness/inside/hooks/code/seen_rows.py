"""Whether a row weighs one, by value: what makes an entry of it a normalised score."""

import math
from typing import Any

import numpy as np
from torch import Tensor

ROUNDING = 1e-4  # by which a row may miss one: of float32, 8,192 entries do by 1e-6
FEWEST = 2  # entries


def row_width(row: Any, entry: float) -> int:
    """Entries of a row of probabilities, or of their logarithms; 0: it is neither."""
    numbers = numbers_in(row)
    if numbers is None or numbers.size < FEWEST:
        return 0
    if 0.0 <= entry <= 1.0:
        total = float(numbers.sum())
        return numbers.size if abs(total - 1.0) < ROUNDING and numbers.min() >= 0 else 0
    if entry <= 0.0 and numbers.max() <= ROUNDING:
        return numbers.size if abs(math.log(float(np.exp(numbers).sum()))) < ROUNDING else 0
    return 0


def numbers_in(row: Any) -> Any:
    """(V,) of a row; None where it is none."""
    if isinstance(row, Tensor):
        row = row.detach().cpu().double().numpy()
    elif type(row) is dict:
        row = list(row.values())
    try:
        numbers = np.asarray(row, np.float64).view(np.ndarray)
    except (TypeError, ValueError):
        return None
    return numbers if numbers.ndim == 1 else None
