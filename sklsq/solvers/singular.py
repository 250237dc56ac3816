r"""Rank, minimum norm, and the parameter combinations that the data cannot tell apart.

From the triangular factor R of the internal columns, with every column divided by its norm
:math:`s_j`, the singular value decomposition :math:`R S^{-1} = U\,\mathrm{diag}(w)\,V^\mathsf{T}`
decides the rank: values below ``rcond * w[0]`` are rounding noise. The norm is that of the column
*before* centring, :math:`s_j = \|R_j\| + |g_j|\,\|R_0\|` where :math:`g_j` is the multiple of the
constant column subtracted from it: centring a constant column leaves nothing but the rounding error
of its entries, which measured by its own norm would look like information.

A right singular vector beyond the rank, carried to the user's parameters, is a direction along
which they can move without changing any fitted value (Glover, Jenkins & Doney, *Modeling Methods
for Marine Science*, 3.3.3 and 3.3.6, call them non-coefficients). Of all solutions the one with the
shortest coefficient vector is returned; a separate intercept does not count to the length, as in
scikit-learn. The null space is published in reduced row echelon form, which shows combinations of
few parameters where there are such.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklsq._typing import FloatArray, IntArray
from sklsq.solvers.triangular import TriangularFactor

__all__ = ["Identification", "default_rcond", "describe", "identify", "shortest"]

_EPS = float(np.finfo(np.float64).eps)
_NEGLIGIBLE = 1e-8  # entries of a null vector below this share of its largest one are rounding


@dataclass(frozen=True)
class Identification:
    """What the rows determine.

    Parameters
    ----------
    rank : int
        Number of determined combinations of the m columns.
    inverse_root : ndarray of shape (m, rank)
        W with ``W @ W.T`` the (pseudo-)inverse of ``R.T @ R``.
    null_space : ndarray of shape (m - rank, m)
        Undetermined combinations of the internal coefficients.
    condition : float
        Condition number of the columns scaled to unit norm, infinite when rank deficient.
    """

    rank: int
    inverse_root: FloatArray
    null_space: FloatArray
    condition: float


def default_rcond(n_samples: int, n_columns: int) -> float:
    """Return the size below which singular values are rounding: ``eps * (10 + sqrt(n m))``.

    Rounding errors of n·m independent entries add up like a random walk; LAPACK's customary ``eps *
    max(n, m)`` would give up combinations that a million rows determine to four digits.
    """
    return _EPS * (10.0 + float(np.sqrt(n_samples * n_columns)))


def identify(factor: TriangularFactor, offsets: FloatArray | None, rcond: float) -> Identification:
    """Return rank, root of the inverse, and null space of a triangular factor.

    Parameters
    ----------
    factor : TriangularFactor
        Of the internal columns.
    offsets : ndarray of shape (m,) or None
        Multiple of the first internal column, the constant, that centring subtracted from each.
    rcond : float
        Relative size of the singular values that count as zero.
    """
    R, m = factor.R, factor.R.shape[0]
    own = np.sqrt(np.einsum("ij,ij->j", R, R))
    norms = own if offsets is None else own + np.abs(offsets) * own[0]
    inverse = _certain_inverse(factor, own, norms, rcond)
    if inverse is not None:
        condition = float(np.linalg.norm(R / own) * np.linalg.norm(inverse * own[:, None])) / m
        return Identification(m, inverse, np.empty((0, m)), max(condition, 1.0))
    norms = np.where(norms > 0.0, norms, 1.0)
    _, values, Vt = np.linalg.svd(R / norms)
    rank = int(np.sum(values > rcond * values[0])) if values[0] > 0.0 else 0
    root = (Vt[:rank] / values[:rank, None]).T / norms[:, None]
    null_space = np.where(np.abs(Vt[rank:]) > _NEGLIGIBLE, Vt[rank:], 0.0) / norms
    return Identification(rank, root, null_space, float("inf"))


def _certain_inverse(
    factor: TriangularFactor, own: FloatArray, norms: FloatArray, rcond: float
) -> FloatArray | None:
    """Return the inverse of R if the norms of both prove full rank, else None.

    The smallest singular value of the scaled R is at least ``1 / |inverse|``, the largest at most
    its Frobenius norm; the decomposition is only needed where these bounds do not decide.
    """
    if not own.all():
        return None
    R, inverse = factor.R, factor.inverse
    if inverse is None:
        try:
            inverse = np.linalg.inv(R / own) / own[:, None]
        except np.linalg.LinAlgError:
            return None
    largest = float(np.linalg.norm(R / norms))
    smallest = 1.0 / float(np.linalg.norm(inverse * norms[:, None]))
    if smallest <= rcond * largest:
        values = np.linalg.svd(R / norms, compute_uv=False)
        if values[-1] <= rcond * values[0]:
            return None
    return inverse


def echelon(null_space: FloatArray, norms: FloatArray) -> FloatArray:
    """Return the reduced row echelon form of a null space (q, m), rounding set to zero.

    The largest entry of each row is 1 in size, the first that is not zero positive. Pivots are the
    entries whose columns, of length `norms`, move most.
    """
    rows = null_space * norms
    for i in range(rows.shape[0]):
        j = int(np.argmax(np.abs(rows[i])))
        rows[i] /= rows[i, j]
        others = np.arange(rows.shape[0]) != i
        rows[others] -= rows[others, j, None] * rows[i]
        largest = np.abs(rows).max(axis=1, keepdims=True)
        rows[np.abs(rows) < _NEGLIGIBLE * largest] = 0.0
    rows = rows / norms
    first = np.take_along_axis(rows, np.argmax(rows != 0.0, axis=1)[:, None], axis=1)
    rows *= np.sign(first) / np.abs(rows).max(axis=1, keepdims=True)
    return rows


def shortest(
    params: FloatArray, null_space: FloatArray, counted: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return the solution of least norm over the `counted` parameters, and the way to it.

    Parameters
    ----------
    params : ndarray of shape (m, t)
        Any solution.
    null_space : ndarray of shape (q, m)
        Directions along which it may be moved.
    counted : ndarray of int
        Indices of the parameters whose length is minimised.
    """
    multipliers, *_ = np.linalg.lstsq(null_space[:, counted].T, -params[counted], rcond=None)
    return params + null_space.T @ multipliers, multipliers


def describe(null_space: FloatArray, names: list[str]) -> list[str]:
    """Return in words how the parameters can move along each direction of the null space.

    Examples
    --------
    >>> import numpy as np
    >>> from sklsq.solvers.singular import describe
    >>> describe(np.array([[1.0, 0.0, -2.0], [0.0, 1.0, 0.0]]), ["a", "b", "c"])
    ['(a + t, c - 2*t)', '(b + t)']
    """
    return [_movement(row, names) for row in null_space]


def _movement(row: FloatArray, names: list[str]) -> str:
    moves = []
    for coefficient, name in zip(row, names, strict=True):
        if coefficient != 0.0:
            size = f"{abs(coefficient):.4g}"
            moves.append(
                f"{name} {'-' if coefficient < 0.0 else '+'} {'t' if size == '1' else size + '*t'}"
            )
    return f"({', '.join(moves)})"
