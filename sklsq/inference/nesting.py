"""Whether one linear model contains another: every curve of the smaller is one of the larger."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklsq.inference.linear_influence import is_linear, linear_influence
from sklsq.inference.part_of_rows import fit_quietly

__all__ = ["is_nested"]

_LEFT_OVER = 1e-7  # of a unit vector: rounding leaves 1e-12 at worst, another function far more


def is_nested(smaller: Any, larger: Any, X: Any, sigma: Any = None) -> bool:
    """Tell whether the columns of a fitted model are combinations of those of another.

    The larger model is fitted to an orthonormal basis of the fitted values of the smaller; it
    contains it, at the points X, if nothing is left over. Of models that are not linear this says
    nothing, and False is returned.

    Parameters
    ----------
    smaller, larger : fitted estimators
    X : array_like of shape (n, p)
    sigma : float or ndarray of shape (n,), optional

    Examples
    --------
    >>> from sklsq import DesignMatrixRegressor, WeightedLinearFit
    >>> x, y = [[1.0], [2.0], [3.0], [5.0]], [1.0, 2.0, 3.5, 4.0]
    >>> line = WeightedLinearFit().fit(x, y)
    >>> parabola = DesignMatrixRegressor(["1", "x", "x**2"]).fit(x, y)
    >>> is_nested(line, parabola, x), is_nested(parabola, line, x)
    (True, False)
    """
    if not (is_linear(smaller) and is_linear(larger)):
        return False
    Q = linear_influence(smaller, X, sigma, len(smaller.param_names_)).orthonormal
    size = 1.0 if sigma is None else np.asarray(sigma, dtype=np.float64).reshape(-1, 1)
    targets = size * Q
    left_over = (targets - fit_quietly(larger, X, targets, {"sigma": sigma}).predict(X)) / size
    return bool(np.abs(left_over).max(initial=0.0) < _LEFT_OVER)
