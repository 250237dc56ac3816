"""How many digits of an estimate are right."""

import math

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["FULL", "digits"]

FULL = 17.0  # no double has more
WRONG = -99.0


def digits(estimate: ArrayLike, reference: ArrayLike) -> float:
    """Count the correct significant digits of the worst entry.

    -log10 of the relative error, of the absolute error where the reference is zero; 17 where they
    are the same, -99 where the estimate is not finite.

    >>> digits([1.0, 2.002], [1.0, 2.0])
    3.0
    >>> digits(float("nan"), 1.0)
    -99.0
    """
    pairs = np.broadcast_arrays(np.asarray(estimate, float), np.asarray(reference, float))
    return min((_digits(*pair) for pair in zip(*map(np.ravel, pairs), strict=True)), default=FULL)


def _digits(estimate: float, reference: float) -> float:
    if not np.isfinite(estimate):
        return WRONG
    error = abs(estimate - reference) / (abs(reference) or 1.0)
    return round(min(FULL, -math.log10(error)), 9) if error else FULL
