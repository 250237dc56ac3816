r"""Do residuals follow something that the model leaves out? Added variables.

Columns :math:`Z` that are not in the model, in units of σ, would take up of the residuals
:math:`e`, whose covariance is :math:`M = 1 - B B^\mathsf{T}`, the sum of squares

.. math:: S = e^\mathsf{T} Z (Z^\mathsf{T} M Z)^{-1} Z^\mathsf{T} e , \qquad
          F = \frac{S / q}{(e^\mathsf{T} e - S) / (\nu - q)},

where :math:`F` follows the F distribution with q and ν - q degrees of freedom, exactly for linear
models and Gaussian errors of unknown size (Cook and Weisberg 1982, section 2.2.2). Columns made
from the fitted values keep that distribution, since residuals are independent of these (Ramsey,
J. R. Stat. Soc. B 31, 350 (1969); Milliken and Graybill 1970).

Which columns: Chebyshev polynomials of the quantity, by rising degree, of which the first two count
that are not already combinations of what the model can follow.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import fdtrc

from sklsq._typing import FloatArray

__all__ = ["TrendTest", "new_directions", "trend_test"]

_HIGHEST_DEGREE = 12
_NEW = 1e-6  # least share of the square of a column that the model cannot follow


class TrendTest(NamedTuple):
    """F ratio, its p-value, and how many columns were added; NaN where none could be."""

    statistic: float
    p_value: float
    n_directions: int


def new_directions(
    quantity: FloatArray, inverse_sigma: FloatArray, root: FloatArray, n_wanted: int = 2
) -> FloatArray:
    """Return orthonormal columns (n, q) in which residuals can follow `quantity`.

    Parameters
    ----------
    quantity : ndarray of shape (n,)
        A feature, or the fitted values.
    inverse_sigma : ndarray of shape (n,)
        Factors that bring columns to units of σ.
    root : ndarray of shape (n, m)
        Root of the hat matrix of the fit, with orthonormal columns where it is a projection.
    n_wanted : int, default=2
        Largest number q of columns.
    """
    found = np.empty((len(quantity), 0))
    low, high = quantity.min(), quantity.max()
    if not high > low:
        return found
    place = (2.0 * quantity - low - high) / (high - low)
    degrees = min(_HIGHEST_DEGREE, len(np.unique(place)) - 1)
    columns = np.polynomial.chebyshev.chebvander(place, degrees) * inverse_sigma[:, None]
    for column in columns.T[1:]:
        rest = column
        for _ in range(2):  # the second pass removes the rounding of the first
            rest = rest - root @ (root.T @ rest) - found @ (found.T @ rest)
        if rest @ rest > _NEW * (column @ column):
            found = np.column_stack([found, rest / np.sqrt(rest @ rest)])
        if found.shape[1] == n_wanted:
            break
    return found


def trend_test(
    residual: FloatArray, root: FloatArray, columns: FloatArray, dof: float
) -> TrendTest:
    """Test whether residuals follow added columns.

    Parameters
    ----------
    residual : ndarray of shape (n,)
        Residuals in units of σ.
    root : ndarray of shape (n, m)
        Root of their hat matrix.
    columns : ndarray of shape (n, q)
        Columns that the model does not have, in units of σ.
    dof : float
        Degrees of freedom of the residuals.
    """
    q = columns.shape[1]
    if q == 0 or dof - q < 1.0:
        return TrendTest(np.nan, np.nan, 0)
    seen = root.T @ columns
    score = columns.T @ residual
    explained = float(score @ np.linalg.solve(columns.T @ columns - seen.T @ seen, score))
    left = max(float(residual @ residual) - explained, 0.0)
    if left == 0.0:
        return TrendTest(np.inf, 0.0, q)
    ratio = (explained / q) / (left / (dof - q))
    return TrendTest(ratio, float(fdtrc(q, dof - q, ratio)), q)
