"""How much data scatter about a constant: what a model that explains nothing would leave as χ²."""

from __future__ import annotations

import numpy as np

from sklsq._typing import FloatArray, IntArray
from sklsq.solvers.robust_loss import LOSSES, robust_cost

__all__ = ["UNEXPLAINED", "robust_scatters", "scatter_of", "scatters"]

UNEXPLAINED = 0.5  # share of the scatter of the data, from which on a minimum is doubted

_SUMMED = 8_192  # rows for which BLAS does not start threads
_TOGETHER = 65_536  # points
_ROBUST_STEPS = 2  # towards the best constant under a robust loss


def scatter_of(y: FloatArray, root: FloatArray | float, *, is_sigma: bool = False) -> float:
    """Return the whitened sum of squares of one curve about its weighted mean, block by block.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Its values.
    root : ndarray of shape (n,) or (1,), or float
        1/σ, 0 where a value is missing; or σ.
    is_sigma : bool, default=False
        Whether it is σ.

    Examples
    --------
    >>> import numpy as np
    >>> scatter_of(np.array([1.0, 3.0, 5.0]), 0.5)
    2.0
    """
    root = np.atleast_1d(root)
    of_y = of_both = of_weight = 0.0
    for first in range(0, len(y), _SUMMED):
        rows = slice(first, first + _SUMMED)
        weight, values = root if root.size == 1 else root[rows], y[rows]
        if is_sigma:
            weight = 1.0 / weight
        values = values * weight
        if weight.size == 1:
            weight = np.broadcast_to(weight, values.shape)
        of_y += float(values.dot(values))
        of_both += float(values.dot(weight))
        of_weight += float(weight.dot(weight))
    return of_y - of_both * of_both / (of_weight or 1.0)


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


def robust_scatters(
    Y: FloatArray, weight: FloatArray, curves: IntArray, loss: str, f_scale: float
) -> FloatArray:
    """Return the least costs (B,) of curves by a constant, under a robust loss.

    Parameters
    ----------
    Y, weight, curves
        As in `scatters`.
    loss, f_scale : str, float
        As in `sklsq.solvers.robust_loss`.

    Notes
    -----
    By a few steps of iteratively reweighted least squares from the median and from the mean (Huber,
    *Robust Statistics*, 1981, 8.8), each of which lowers the cost. Where a loss has several minima
    it is a bound.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([[1.0, 1.0, 1.0, 101.0]])
    >>> robust_scatters(y, np.ones((1, 1)), np.array([0]), "huber", 1.0).round(1)
    array([99.3])
    """
    n, scatter = Y.shape[1], np.empty(len(curves))
    size = max(_TOGETHER // n, 1)
    for first in range(0, len(curves), size):
        part = curves[first : first + size]
        w = np.broadcast_to(weight[part] if len(weight) > 1 else weight, (len(part), n))
        scatter[first : first + size] = _least_robust(Y[part], w, loss, f_scale)
    return scatter


def _least_robust(y: FloatArray, w: FloatArray, loss: str, f_scale: float) -> FloatArray:
    there = w > 0.0
    if there.all():
        constant = np.median(y, axis=1)
    else:
        known = there.any(axis=1)
        constant = np.zeros(len(y))
        constant[known] = np.nanmedian(np.where(there, y, np.nan)[known], axis=1)
    sums = np.einsum("bi,bi->b", w, w)
    mean = np.einsum("bi,bi,bi->b", w, w, y) / np.where(sums > 0.0, sums, 1.0)
    least = np.full(len(y), np.inf)
    for begin in (constant, mean):
        at = begin
        for _ in range(_ROBUST_STEPS):
            r = (y - at[:, None]) * w
            least = np.minimum(least, robust_cost(r, loss, f_scale, 0))
            shares = LOSSES[loss]((r / f_scale) ** 2)[1] * w**2
            total = shares.sum(axis=1)
            moved = np.einsum("bi,bi->b", shares, y) / np.where(total > 0.0, total, 1.0)
            at = np.where(total > 0.0, moved, at)
        least = np.minimum(least, robust_cost((y - at[:, None]) * w, loss, f_scale, 0))
    return least
