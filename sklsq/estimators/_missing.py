"""Points that some of many curves do not have: NaN in y, and whatever stands beside it in σ."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklsq._typing import BoolArray

__all__ = ["filled", "missing_as_nan"]


def missing_as_nan(y: Any) -> Any:
    """Return y as an array; objects, such as None or the NA of pandas, as floats if they can be.

    Examples
    --------
    >>> missing_as_nan([[1.0, None], [2, 3]])
    array([[ 1., nan],
           [ 2.,  3.]])
    """
    values = np.asarray(y)
    if values.dtype.kind != "O":
        return values
    try:
        if hasattr(y, "to_numpy"):
            values = y.to_numpy(dtype=object, na_value=np.nan)
        return values.astype(np.float64)
    except (TypeError, ValueError):
        return values  # to be refused with a sentence where it is checked


def filled(given: Any, missing: BoolArray) -> Any:
    """Return σ or weights with 1 for the missing points, if there is one for each point.

    Examples
    --------
    >>> filled([[0.5, float("nan")]], np.array([[False, True]]))
    array([[0.5, 1. ]])
    """
    if given is None or np.shape(given) != missing.shape:
        return given
    return np.where(missing, 1.0, np.asarray(given, dtype=np.float64))
