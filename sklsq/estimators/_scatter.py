"""How much data scatter about a constant: what a model that explains nothing would leave as χ²."""

from __future__ import annotations

import numpy as np

from sklsq._typing import FloatArray, IntArray

__all__ = ["scatters"]

_TOGETHER = 65_536  # points


def scatters(Y: FloatArray, weight: FloatArray, curves: IntArray) -> FloatArray:
    """Return the whitened sums of squares (B,) of curves about their weighted means.

    Parameters
    ----------
    Y : ndarray of shape (t, n)
        Values of all curves.
    weight : ndarray of shape (t, n), (t, 1), (1, n) or (1, 1)
        1/σ, 0 where a value is missing.
    curves : ndarray of int of shape (B,)
        Which of them.

    Examples
    --------
    >>> import numpy as np
    >>> scatters(np.array([[1.0, 3.0, 5.0]]), np.array([[0.5]]), np.array([0]))
    array([2.])
    """
    n, scatter = Y.shape[1], np.empty(len(curves))
    size = max(_TOGETHER // n, 1)
    for first in range(0, len(curves), size):
        part = curves[first : first + size]
        w = weight[part] if len(weight) > 1 else weight
        y = Y[part] * w
        w = np.broadcast_to(w, y.shape)
        sums = np.einsum("bi,bi->b", w, w)
        along = np.einsum("bi,bi->b", y, w) / np.where(sums > 0.0, sums, 1.0)
        y -= along[:, None] * w
        scatter[first : first + size] = np.einsum("bi,bi->b", y, y)
    return scatter
