"""Errors of nonlinear parameters: from the triangular factor at the minimum to a covariance.

With J the whitened derivatives at the minimum and R its triangular factor, the covariance of the
free parameters is the inverse of ``R.T @ R``: that of the linear problem which the model is beside
its minimum. A parameter that ends on a bound is held there: it has no error of its own, and those
of the others are for that value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dtrtri

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.solvers.singular import default_rcond, echelon, identify
from sklsq.solvers.triangular import TriangularFactor

__all__ = ["ParameterErrors", "parameter_errors"]


@dataclass(frozen=True)
class ParameterErrors:
    """Roots of the covariance of the free parameters of t curves, for unit variance.

    Parameters
    ----------
    root : ndarray of shape (t, k, k)
        ``root @ root.T`` is the covariance; columns beyond the rank are zero.
    rank : ndarray of int of shape (t,)
        Number of combinations determined.
    null_space : dict of int to ndarray of shape (q, k)
        Combinations that are not, of the curves that have such.
    """

    root: FloatArray
    rank: IntArray
    null_space: dict[int, FloatArray]


def parameter_errors(R: FloatArray, held: BoolArray, n_rows: int) -> ParameterErrors:
    """Return the errors of the free parameters.

    Parameters
    ----------
    R : ndarray of shape (t, k, k)
        Triangular factors of the whitened derivatives.
    held : ndarray of bool of shape (t, k)
        Parameters held by a bound.
    n_rows : int
        Number of rows of the derivatives.
    """
    t, k = held.shape
    if t == 1 and k and not held.any():
        inverse = _inverse(R[0], default_rcond(n_rows, k))
        if inverse is not None:
            return ParameterErrors(inverse[None], np.array([k]), {})
    root, rank = np.zeros((t, k, k)), np.zeros(t, dtype=int)
    null_space: dict[int, FloatArray] = {}
    usual = _invertible(R, held, default_rcond(n_rows, k))
    if usual.any():
        root[usual] = np.linalg.inv(R[usual])
        rank[usual] = k
    for curve in np.flatnonzero(~usual):
        moving = np.flatnonzero(~held[curve])
        if not (len(moving) and np.isfinite(R[curve]).all()):
            root[curve] = np.nan if len(moving) else 0.0
            continue
        factor = _factor(R[curve][:, moving], n_rows)
        found = identify(factor, None, default_rcond(n_rows, len(moving)))
        rank[curve] = found.rank
        root[curve, moving, : found.rank] = found.inverse_root
        if found.rank < len(moving):
            norms = np.sqrt(np.einsum("ij,ij->j", factor.R, factor.R))
            rows = echelon(found.null_space, np.where(norms > 0.0, norms, 1.0))
            null_space[int(curve)] = np.zeros((len(rows), k))
            null_space[int(curve)][:, moving] = rows
    return ParameterErrors(root, rank, null_space)


def _inverse(R: FloatArray, rcond: float) -> FloatArray | None:
    """Return the inverse of R if the norms of both prove full rank; see `_invertible`."""
    inverse, singular = dtrtri(R)
    norms = np.sqrt(np.einsum("ij,ij->j", R, R))
    with np.errstate(all="ignore"):
        scaled, scaled_inverse = (R / norms).ravel(), (inverse * norms[:, None]).ravel()
        size = float(scaled.dot(scaled)) * float(scaled_inverse.dot(scaled_inverse)) * rcond**2
    return None if singular or not size < 1.0 else inverse


def _invertible(R: FloatArray, held: BoolArray, rcond: float) -> BoolArray:
    """Return the curves whose R is proved to have full rank by the norms of it and its inverse."""
    norms = np.sqrt(np.einsum("tij,tij->tj", R, R))
    good: BoolArray = np.isfinite(norms).all(axis=1) & norms.all(axis=1) & ~held.any(axis=1)
    diagonal = np.abs(np.diagonal(R, axis1=1, axis2=2))
    good &= (diagonal > rcond * norms).all(axis=1)
    if good.any():
        scaled = R[good] / norms[good][:, None]
        inverse = np.linalg.inv(scaled)
        size = np.sqrt(np.square(scaled).sum(axis=(1, 2)) * np.square(inverse).sum(axis=(1, 2)))
        good[good] = size * rcond < 1.0
    return good


def _factor(columns: FloatArray, n_rows: int) -> TriangularFactor:
    R = np.asarray(np.linalg.qr(columns, mode="r"))
    k = R.shape[1]
    return TriangularFactor(R, np.zeros((k, 1)), np.zeros(1), np.zeros((k, 1)), n_rows)
