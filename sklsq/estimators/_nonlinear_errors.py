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
from sklsq.solvers.flat_directions import Neighbourhood, root_beside
from sklsq.solvers.rounding import ROUNDING
from sklsq.solvers.singular import default_rcond, echelon, identify
from sklsq.solvers.small_matrices import inverse_triangles
from sklsq.solvers.triangular import TriangularFactor

__all__ = ["ParameterErrors", "parameter_errors"]

_UNNOTICED = 1e-10  # relative change of a parameter


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


def parameter_errors(
    R: FloatArray,
    held: BoolArray,
    n_rows: int,
    about: Neighbourhood | None = None,
    params: FloatArray | None = None,
) -> ParameterErrors:
    """Return the errors of the free parameters.

    Parameters
    ----------
    R : ndarray of shape (t, k, k)
        Triangular factors of the whitened derivatives.
    held : ndarray of bool of shape (t, k)
        Parameters held by a bound.
    n_rows : int
        Number of rows of the derivatives.
    about : Neighbourhood, optional
        The model about the minima; without it full rank is all that is asked.
    params : ndarray of shape (t, k), optional
        The minima: what hardly moves along an undetermined direction is not part of it.
    """
    t, k = held.shape
    if t == 1 and k and not held.any():
        inverse = _inverse(R[0], default_rcond(n_rows, k))
        if inverse is not None and (about is None or not about.suspected(inverse[None])[0]):
            return ParameterErrors(inverse[None], np.array([k]), {})
    errors = _by_rank(R, held, n_rows)
    if params is not None:
        for number in errors.null_space:
            moving = np.flatnonzero(~held[number])
            sizes = np.abs(params[number, moving])
            _leave_out_unmoved(errors, R[number][:, moving], moving, sizes, number)
    if about is not None:
        for curve in np.flatnonzero(about.suspected(errors.root)):
            _leave_out_flat(errors, R[curve], np.flatnonzero(~held[curve]), about, int(curve))
    return errors


def _leave_out_unmoved(
    errors: ParameterErrors, R: FloatArray, moving: IntArray, sizes: FloatArray, curve: int
) -> None:
    """Take parameters out of the null space that make up for what is rounding.

    The offset that makes up for a term of 1e-30 is determined all the same.
    """
    rows = errors.null_space[curve][:, moving]
    terms = np.sqrt(np.einsum("ij,ij->j", R, R)) * sizes
    known = sizes > 0.0
    relative = np.abs(rows) / np.where(known, sizes, np.inf)
    largest = relative.max(axis=1, keepdims=True)
    share = relative / np.where(largest > 0.0, largest, 1.0)
    unmoved = known & (rows != 0.0) & (share < _UNNOTICED)  # nor is a twin of what is zero
    unmoved &= np.abs(rows) < _UNNOTICED * np.abs(rows).max(axis=1, keepdims=True)
    unmoved &= share * terms <= ROUNDING * terms.max()
    if not unmoved.any():
        return
    rows = np.where(unmoved, 0.0, rows)
    first = np.take_along_axis(rows, np.argmax(rows != 0.0, axis=1)[:, None], axis=1)
    rows *= np.sign(first)
    root = root_beside(R, rows)
    errors.root[curve] = 0.0
    errors.root[curve, moving, : root.shape[1]] = root
    errors.null_space[curve][:, moving] = rows


def _leave_out_flat(
    errors: ParameterErrors, R: FloatArray, moving: IntArray, about: Neighbourhood, curve: int
) -> None:
    """Take the flat directions of a curve out of its errors; those of full rank only."""
    if curve in errors.null_space or not (len(moving) and np.isfinite(R).all()):
        return
    null_space, root = about.flat(R[:, moving], moving, curve)
    if not len(null_space):
        return
    errors.rank[curve] = root.shape[1]
    errors.root[curve] = 0.0
    errors.root[curve, moving, : root.shape[1]] = root
    errors.null_space[curve] = np.zeros((len(null_space), len(errors.root[curve])))
    errors.null_space[curve][:, moving] = null_space


def _by_rank(R: FloatArray, held: BoolArray, n_rows: int) -> ParameterErrors:
    """Return the errors, without the directions that are rounding noise."""
    t, k = held.shape
    root, rank = np.zeros((t, k, k)), np.zeros(t, dtype=int)
    null_space: dict[int, FloatArray] = {}
    usual, inverse = _invertible(R, held, default_rcond(n_rows, k))
    root[usual], rank[usual] = inverse[usual], k
    for curve in np.flatnonzero(~usual):
        moving = np.flatnonzero(~held[curve])
        if not (len(moving) and np.isfinite(R[curve]).all()):
            root[curve] = np.nan if len(moving) else 0.0
            continue
        factor = _factor(R[curve][:, moving], n_rows)
        with np.errstate(over="ignore", invalid="ignore"):
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


def _invertible(R: FloatArray, held: BoolArray, rcond: float) -> tuple[BoolArray, FloatArray]:
    """Return the curves whose R is proved to have full rank, and the inverses (t, k, k).

    The condition of R with columns of length one is at most the product of its Frobenius norm,
    the root of k, and that of its inverse.
    """
    with np.errstate(all="ignore"):
        inverse = inverse_triangles(R)
        squares = np.einsum("tij,tij->tj", R, R)
        size = np.einsum("tij,tij,ti->t", inverse, inverse, squares) * (R.shape[1] * rcond**2)
    good: BoolArray = (size < 1.0) & ~held.any(axis=1)  # NaN compares false
    return good, inverse


def _factor(columns: FloatArray, n_rows: int) -> TriangularFactor:
    R = np.asarray(np.linalg.qr(columns, mode="r"))
    k = R.shape[1]
    return TriangularFactor(R, np.zeros((k, 1)), np.zeros(1), np.zeros((k, 1)), n_rows)
