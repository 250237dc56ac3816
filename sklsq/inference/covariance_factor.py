r"""The covariance of parameters by its root, and what the data say nothing about.

A fit of rank r determines r combinations of its m parameters: their covariance is
:math:`C = W W^\mathsf{T}` with W of shape (m, r), and moves along the rows :math:`n` of the null
space leave every fitted value as it is. A quantity with derivatives J has the covariance
:math:`(JW)(JW)^\mathsf{T}` if :math:`J n = 0` for all of them, whether or not the parameters in it
are determined one by one; else it is not determined itself. These are the *estimable functions* of
the theory of linear models. The product JW also keeps the digits that cancel in :math:`J C
J^\mathsf{T}`.

Source: S. R. Searle, "Linear Models", 1971, section 5.4; C. R. Rao, "Linear Statistical Inference
and Its Applications", 2nd ed., 4a.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklsq._typing import BoolArray, FloatArray

__all__ = ["CovarianceFactor"]


@dataclass(frozen=True)
class CovarianceFactor:
    """Root of the covariance of m parameters, with what is not determined.

    Parameters
    ----------
    root : ndarray of shape (m, r)
        ``root @ root.T`` is the covariance of what is determined; finite.
    null_space : ndarray of shape (q, m)
        Combinations that the data do not determine.
    unknown : ndarray of bool of shape (m,)
        Parameters whose error is not known, as of one at a bound.
    rounding : float
        Relative size to which J n may differ from zero and count as such.
    is_linear : bool, default=False
        Whether any length along the null space leaves the fitted values as they are, not only a
        small one.

    Examples
    --------
    >>> import numpy as np
    >>> only_the_sum = CovarianceFactor(
    ...     np.array([[0.1], [0.1]]), np.array([[1.0, -1.0]]), np.zeros(2, dtype=bool), 1e-9
    ... )
    >>> only_the_sum.loses(np.array([[1.0, 1.0], [1.0, 0.0]]))
    array([False,  True])
    """

    root: FloatArray
    null_space: FloatArray
    unknown: BoolArray
    rounding: float
    is_linear: bool = False

    def loses(self, J: FloatArray) -> BoolArray:
        """Tell which of the quantities with derivatives J (k, m) are not determined."""
        along = np.abs(J @ self.null_space.T)
        size = np.abs(J) @ np.abs(self.null_space.T)
        return np.asarray((along > self.rounding * size).any(axis=1))

    def of(self, J: FloatArray) -> CovarianceFactor:
        """Return the factor of k quantities with derivatives J (k, m)."""
        endless = np.asarray(~np.isfinite(J).all(axis=1))
        J = np.where(endless[:, None], 0.0, J)
        moves = self.null_space @ J.T
        moves[np.abs(moves) <= self.rounding * (np.abs(self.null_space) @ np.abs(J.T))] = 0.0
        unknown = endless | ((J != 0.0) & self.unknown).any(axis=1)
        return CovarianceFactor(J @ self.root, moves[moves.any(axis=1)], unknown, self.rounding)

    def covariance(self) -> FloatArray:
        """Return the covariance (m, m); infinite variances where not determined, NaN if unknown."""
        covariance: FloatArray = self.root @ self.root.T
        lost = (self.null_space != 0.0).any(axis=0)
        for which, value in ((self.unknown, np.nan), (lost, np.inf)):
            covariance[which] = covariance[:, which] = np.nan
            covariance[which, which] = value
        return covariance
