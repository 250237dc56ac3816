"""What every linear solver returns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sklsq._typing import FloatArray
from sklsq.solvers.triangular import TriangularFactor

__all__ = ["Solution"]

_NOTHING = np.empty((0, 0))
_ESTIMABLE = (
    1e-9  # a fitted value moves along a null vector by rounding only: far below, or far above
)


@dataclass(frozen=True, slots=True)
class Solution:
    """The least-squares solution of t right-hand sides that share a design matrix.

    *Internal* coefficients are those of the columns computed with; *parameters* are those the user
    named. The covariances are ``root @ root.T``, for unit variance of the whitened rows.

    Parameters
    ----------
    internal : ndarray of shape (m, t)
        Internal coefficients.
    internal_root : ndarray of shape (m, rank)
        Root of the covariance of the internal coefficients.
    params : ndarray of shape (m, t)
        Parameters.
    params_root : ndarray of shape (m, rank)
        Root of the covariance of the parameters.
    chi2 : ndarray of shape (t,)
        Sum of squares of the whitened residuals.
    n_samples : int
        Number of rows.
    rank : int
        Number of parameter combinations that the rows determine.
    null_space, internal_null_space : ndarray of shape (m - rank, m)
        Combinations of parameters (of internal coefficients) that leave every fitted value as it
        is.
    factor : TriangularFactor, optional
        The triangular factor behind it, of the internal columns, where there is one.
    offsets : ndarray of shape (m,), optional
        Multiples of the first internal column that centring subtracted from each.
    """

    internal: FloatArray
    internal_root: FloatArray
    params: FloatArray
    params_root: FloatArray
    chi2: FloatArray
    n_samples: int
    rank: int
    factor: TriangularFactor | None = None
    null_space: FloatArray = field(default_factory=lambda: _NOTHING)
    internal_null_space: FloatArray = field(default_factory=lambda: _NOTHING)
    offsets: FloatArray | None = None

    @property
    def dof(self) -> int:
        """Degrees of freedom, rows minus rank."""
        return self.n_samples - self.rank

    @property
    def known_factor(self) -> TriangularFactor:
        """The triangular factor, of a solution that was found by it."""
        if self.factor is None:
            raise AttributeError("This solution was not found by a triangular factor.")
        return self.factor

    @property
    def unidentified(self) -> FloatArray:
        """Mask (m,) of the parameters that take part in an undetermined combination."""
        if not self.null_space.size:
            return np.zeros(self.params.shape[0], dtype=bool)
        mask: FloatArray = (self.null_space != 0.0).any(axis=0)
        return mask

    @property
    def params_covariance(self) -> FloatArray:
        """Covariance (m, m) of the parameters for unit variance; infinite where unidentified."""
        covariance: FloatArray = self.params_root @ self.params_root.T
        if self.null_space.size:
            lost = self.unidentified
            covariance[lost] = np.nan
            covariance[:, lost] = np.nan
            covariance[lost, lost] = np.inf
        return covariance

    def variance_root(self, columns: FloatArray) -> FloatArray:
        """Return rows (n, k) whose squared norms are the variances of the fitted values.

        Rows that depend on an undetermined combination are infinite.
        """
        root: FloatArray = columns @ self.internal_root
        if not self.internal_null_space.size:
            return root
        size = np.abs(columns)
        if self.offsets is not None:
            size = size + np.abs(self.offsets) * size[:, :1]
        along = np.abs(columns @ self.internal_null_space.T)
        lost = along > _ESTIMABLE * (size @ np.abs(self.internal_null_space.T))
        return np.hstack([root, np.where(lost.any(axis=1), np.inf, 0.0)[:, None]])
