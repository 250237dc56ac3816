r"""Which combinations of slopes the features determine.

Slopes b and b + v give the same fitted values up to a constant if the centred features satisfy
:math:`(X - 1\bar x^\mathsf{T}) v = 0`. The singular values of the centred features decide, every
column divided by its norm *before* centring: what centring leaves of a constant column is the
rounding of its entries, which measured by its own norm would look like information. A Gram matrix
shows that nothing is lost in most cases; where it is in doubt, the triangular factor of the
features, block after block, decides to full precision.

Slopes confined to the orthogonal complement of all such v, the row space, are the shortest of all
equivalent ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklsq._typing import FloatArray
from sklsq.solvers.blas import single_blas_thread
from sklsq.solvers.singular import default_rcond, echelon

__all__ = ["FeatureSpace", "feature_space"]

_BLOCK_ELEMENTS = 32768
_ENOUGH = 4096  # rows for a centre
_CLEAR = 1e-10  # eigenvalues of the Gram matrix below this share may be rounding


@dataclass(frozen=True)
class FeatureSpace:
    """Centre, size, and row space of the features.

    Parameters
    ----------
    centre_x, spread_x : ndarray of shape (p,)
        Mean and root mean square deviation of the features (from zero without an intercept); a
        spread of zero is replaced by one.
    centre_y, spread_y : float
        The same of the target.
    basis : ndarray of shape (p, rank)
        Orthonormal basis of the slopes that the features determine; the identity if all.
    fit_intercept : bool
        Whether an intercept takes up the means.
    null_space : ndarray of shape (m - rank, m)
        Combinations of intercept and slopes that are not determined.
    """

    centre_x: FloatArray
    spread_x: FloatArray
    centre_y: float
    spread_y: float
    basis: FloatArray
    fit_intercept: bool
    null_space: FloatArray

    @property
    def rank(self) -> int:
        """Number of determined combinations of the slopes."""
        return int(self.basis.shape[1])

    @property
    def scaled_basis(self) -> FloatArray:
        """Basis of the determined slopes of the features divided by their spread."""
        return np.linalg.qr(self.basis * self.spread_x[:, None])[0] if self._lost else self.basis

    @property
    def parameter_basis(self) -> FloatArray:
        """Basis (p + 1, ...) of the steps that intercept and slopes may take, in scaled units."""
        p = self.basis.shape[0]
        slopes = self.scaled_basis / self.spread_x[:, None]
        basis = np.zeros((p + 1, self.rank + self.fit_intercept))
        basis[1:, int(self.fit_intercept) :] = slopes
        if self.fit_intercept:
            basis[0, 0] = 1.0
        return basis

    @property
    def _lost(self) -> bool:
        return self.null_space.size > 0


def feature_space(
    X: FloatArray, y: FloatArray, *, fit_intercept: bool, rcond: float | None = None
) -> FeatureSpace:
    """Return centre, size, and row space of the features `X` (n, p)."""
    n_samples, p = X.shape
    centre_x: FloatArray = np.zeros(p)
    centre_y = 0.0
    if fit_intercept:  # any centre near the points will do; that of one point costs no digits
        some = slice(0, n_samples, 1 + n_samples // _ENOUGH)
        centre_x = X[0] + (X[some] - X[0]).mean(axis=0)
        centre_y = float(y[0] + (y[some] - y[0]).mean())
    with single_blas_thread():
        gram, spread_y = _gram(X, y, centre_x, centre_y)
        spread = np.sqrt(np.diag(gram) / n_samples)
        size = np.hypot(spread, centre_x)
        size = np.where(size > 0.0, size, 1.0)
        null: FloatArray = np.empty((p, 0))
        if not _is_clear(gram, spread, size):
            null = _null_vectors(X, centre_x, np.sqrt(n_samples) * size, rcond)
    spread = np.where(spread > 0.0, spread, 1.0)
    null_space = null.T
    if fit_intercept:
        null_space = np.column_stack([-null.T @ centre_x, null.T])
    if null_space.size:
        null_space = echelon(null_space, np.append(1.0, size)[-null_space.shape[1] :])
    basis = np.linalg.qr(null, mode="complete")[0][:, null.shape[1] :] if null.size else np.eye(p)
    return FeatureSpace(centre_x, spread, centre_y, spread_y, basis, fit_intercept, null_space)


def _is_clear(gram: FloatArray, spread: FloatArray, size: FloatArray) -> bool:
    """Whether no combination of the features is near the rounding of their entries."""
    if not (spread > _CLEAR * size).all():
        return False
    norms = np.sqrt(np.diag(gram))
    values = np.linalg.eigvalsh(gram / norms / norms[:, None])
    return bool(values[0] > _CLEAR)


def _null_vectors(
    X: FloatArray, centre: FloatArray, norms: FloatArray, rcond: float | None
) -> FloatArray:
    """Return the combinations (p, q) of features that do not vary, from their triangular factor."""
    n_samples, p = X.shape
    R: FloatArray = np.zeros((0, p))
    rows = max(256, _BLOCK_ELEMENTS // p)
    for start in range(0, n_samples, rows):
        block = (X[start : start + rows] - centre) / norms
        R = np.asarray(np.linalg.qr(np.vstack([R, block]), mode="r"))
    _, values, Vt = np.linalg.svd(R, full_matrices=True)
    smallest = default_rcond(n_samples, p) if rcond is None else rcond
    rank = int(np.sum(values > smallest))
    null: FloatArray = np.linalg.qr((Vt[rank:] / norms).T)[0]
    return null


def _gram(
    X: FloatArray, y: FloatArray, centre_x: FloatArray, centre_y: float
) -> tuple[FloatArray, float]:
    """Return the Gram matrix of the centred features, and the spread of the target."""
    n_samples, p = X.shape
    gram, square, rows = np.zeros((p, p)), 0.0, max(256, _BLOCK_ELEMENTS // p)
    space = np.empty((p, min(rows, n_samples)))
    for start in range(0, n_samples, rows):
        block = X[start : start + rows]
        centred = np.subtract(block.T, centre_x[:, None], out=space[:, : block.shape[0]])
        gram += centred @ centred.T
        residual = y[start : start + rows] - centre_y
        square += float(residual @ residual)
    return gram, float(np.sqrt(square / n_samples)) or 1.0
