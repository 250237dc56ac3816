r"""A root of the hat matrix of any fit, from the covariance of its predictions.

In units of σ the fitted values have covariance :math:`H`, the residuals :math:`1 - H`. With m
parameters :math:`H` is of rank m, so a root :math:`B` of m columns, :math:`H = B B^\mathsf{T}`,
holds all of it. Where n × n is too large, m rows S with independent columns of :math:`H` suffice,
as for any matrix of rank m (Nyström):

.. math:: H = H_{\cdot S} H_{SS}^{-1} H_{S\cdot}, \qquad B = H_{\cdot S} L^{-\mathsf{T}},
          \qquad H_{SS} = L L^\mathsf{T}.

The rows S are found among those of the highest leverage and some at equal distances by pivoted QR;
whether they suffice is seen from the leverages, the diagonal of :math:`H`, known for all rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import qr, solve_triangular

from sklsq._typing import FloatArray, IntArray
from sklsq.inference.fitted_values import fitted_covariance, take_rows
from sklsq.inference.row_errors import ErrorsOfRows
from sklsq.solvers.blas import single_blas_thread

__all__ = ["hat_root", "root_of"]

_DENSE = 200  # rows up to which the whole matrix is taken
_BLOCK = 200
_NEGLIGIBLE = 1e-10  # of the largest eigenvalue: rounding
_CLOSE = 1e-6  # agreement of the leverages, absolute
_ROUNDS = 6


def hat_root(
    estimator: Any, X: Any, errors: ErrorsOfRows, leverage: FloatArray, target: int
) -> FloatArray:
    """Return B (n, m) such that B Bᵀ is the hat matrix of the whitened rows.

    Parameters
    ----------
    estimator : fitted estimator
        Its `predict` must offer ``return_cov``.
    X : array_like of shape (n, p)
        Features of the fit.
    errors : ErrorsOfRows
        Errors of the rows.
    leverage : ndarray of shape (n,)
        Leverages of the rows; not used if the errors are correlated.
    target : int
        Which target.
    """
    with single_blas_thread():
        if len(errors.sigma) <= _DENSE or errors.cholesky is not None:
            return root_of(errors.hat(fitted_covariance(estimator, X, target)))
        return _from_few_columns(estimator, X, errors, leverage, target)


def _from_few_columns(
    estimator: Any, X: Any, errors: ErrorsOfRows, leverage: FloatArray, target: int
) -> FloatArray:
    n_samples = len(errors.sigma)
    chosen = np.unique(
        np.concatenate(
            [
                np.argpartition(-leverage, _DENSE // 2)[: _DENSE // 2],
                np.linspace(0, n_samples - 1, _DENSE // 2).astype(int),
            ]
        )
    )
    for _ in range(_ROUNDS):
        anchors = _independent(chosen, _hat_of(estimator, X, errors, chosen, target))
        root = _extended(estimator, X, errors, anchors, target)
        missing = leverage - np.einsum("ij,ij->i", root, root)
        if missing.max() <= _CLOSE:
            break
        worst = np.argpartition(-missing, _BLOCK // 2)[: _BLOCK // 2]
        chosen = np.union1d(anchors, worst)
    return root


def root_of(hat: FloatArray) -> FloatArray:
    """Return a root (n, m) of a hat matrix (n, n) of rank m."""
    values, vectors = np.linalg.eigh(hat)
    kept = values > _NEGLIGIBLE * values[-1]
    root: FloatArray = vectors[:, kept] * np.sqrt(np.minimum(values[kept], 1.0))
    return root


def _hat_of(
    estimator: Any, X: Any, errors: ErrorsOfRows, rows: IntArray, target: int
) -> FloatArray:
    covariance = fitted_covariance(estimator, take_rows(X, rows), target)
    unit = errors.unit[rows]
    return covariance / np.outer(unit, unit)


def _independent(rows: IntArray, hat: FloatArray) -> IntArray:
    """Return as many of the rows as their hat matrix has rank, far from collinear."""
    root = root_of(hat)
    _, order = qr(root.T, mode="r", pivoting=True)
    return rows[order[: root.shape[1]]]


def _extended(
    estimator: Any, X: Any, errors: ErrorsOfRows, anchors: IntArray, target: int
) -> FloatArray:
    """Return the root for all rows from the columns of the hat matrix that belong to `anchors`."""
    m = len(anchors)
    triangle = np.linalg.cholesky(_hat_of(estimator, X, errors, anchors, target))
    root = np.empty((len(errors.sigma), m))
    for start in range(0, len(root), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(root)))
        columns = _hat_of(estimator, X, errors, np.append(anchors, block), target)[m:, :m]
        root[block] = solve_triangular(triangle, columns.T, lower=True).T
    return root
