r"""Does the size of the residuals depend on something? Breusch and Pagan's test, studentised.

The squares :math:`u_i` of standardised residuals are regressed on columns :math:`Z` (the features,
and the fitted values). Koenker's form divides by the variance of the squares as found, so that the
errors need not be Gaussian (J. Econometrics 17, 107 (1981)): with orthonormal centred columns,

.. math:: LM = n\, t^\mathsf{T} K^{-1} t \Big/ \sum (u_i - \bar u)^2, \qquad t = Z^\mathsf{T} u ,

follows χ² with q degrees of freedom. In his form :math:`K = 1`; but the squares of residuals that
are correlated by :math:`\rho_{ij}` are correlated by :math:`\rho_{ij}^2`, and then
:math:`K = Z^\mathsf{T} (\rho_{ij}^2) Z`. Without it, 15 points about a parabola would give 8 % of
false alarms in place of 5 %.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc

from sklsq._typing import FloatArray

__all__ = ["SpreadTest", "spread_test"]

_INDEPENDENT = 1e-6  # singular value of centred, scaled columns, beside the largest


class SpreadTest(NamedTuple):
    """LM statistic, its p-value, and the number of columns behind it."""

    statistic: float
    p_value: float
    n_directions: int


def spread_test(standardized: FloatArray, root: FloatArray, columns: FloatArray) -> SpreadTest:
    """Test whether squared residuals follow some columns.

    Parameters
    ----------
    standardized : ndarray of shape (n,)
        Residuals over their own standard deviations, up to a common factor.
    root : ndarray of shape (n, m)
        Root of their hat matrix.
    columns : ndarray of shape (n, q)
        What the spread may depend on; a constant is understood.
    """
    n = len(standardized)
    square = standardized**2
    square = square - square.mean()
    total = float(square @ square)
    basis = _orthonormal(columns)
    if basis.shape[1] == 0 or total == 0.0:
        return SpreadTest(np.nan, np.nan, 0)
    score = basis.T @ square
    statistic = float(n * (score @ np.linalg.solve(_correlation(basis, root), score)) / total)
    return SpreadTest(statistic, float(chdtrc(basis.shape[1], max(statistic, 0.0))), basis.shape[1])


def _orthonormal(columns: FloatArray) -> FloatArray:
    """Return an orthonormal basis of the centred columns, less those that are combinations."""
    centred = columns - columns.mean(axis=0)
    norms = np.sqrt(np.einsum("ij,ij->j", centred, centred))
    scales = np.abs(columns).max(axis=0) * np.sqrt(len(columns))
    varying = norms > _INDEPENDENT**2 * scales
    if not varying.any():
        return np.empty((len(columns), 0))
    basis, values, _ = np.linalg.svd(centred[:, varying] / norms[varying], full_matrices=False)
    kept: FloatArray = basis[:, values > _INDEPENDENT * values[0]]
    return kept


def _correlation(basis: FloatArray, root: FloatArray) -> FloatArray:
    """Return K: what the correlation of the squares makes of the unit matrix."""
    unit = root / np.sqrt(1.0 - np.einsum("ij,ij->i", root, root))[:, None]
    own = np.einsum("ij,ij->i", unit, unit)  # where the sum over all pairs has i = j
    products = np.stack([unit.T @ (unit * column[:, None]) for column in basis.T])
    pairs = np.einsum("akl,bkl->ab", products, products)
    correlation: FloatArray = pairs + (basis * (1.0 - own**2)[:, None]).T @ basis
    return correlation
