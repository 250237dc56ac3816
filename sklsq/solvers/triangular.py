r"""The mergeable triangular factor of a linear least-squares problem.

Let the whitened rows be :math:`[A \mid Y]`, n × m and n × t, and :math:`\theta_0` any m × t
*origin*. With the QR factorisation

.. math:: [A \mid Y - A\theta_0] = Q \begin{bmatrix} R & z \\ 0 & C \end{bmatrix}

everything a fit publishes follows from the small right-hand matrix: the coefficients
:math:`\theta_0 + R^{-1}z`, their covariance :math:`(R^\mathsf{T}R)^{-1}`, the singular values of A,
and :math:`\chi^2`, the squared column norms of C. Only those norms are kept. Two factors merge into
the factor of the union of their rows by factorising the two triangles on top of each other, after
moving them to a common origin (:math:`z \to z + R(\theta_0' - \theta_0'')`), so that pieces of a
file, of a stream or of a cluster give the fit of the whole.

Three ways lead to a factor:

`householder`
    LAPACK's QR of all rows at once: for few rows.
`guided`
    For many rows. The QR of a few hundred random rows gives a guide :math:`R_0` and an origin. One
    pass over cache-sized blocks accumulates the Gram matrix of :math:`[Z \mid E] = [A R_0^{-1} \mid
    Y - A\theta_0]`. Since :math:`\kappa(Z)` is close to one, the Cholesky factor :math:`R_1` of
    that Gram matrix is as accurate as Householder's (the error of a Cholesky factor grows with
    :math:`\kappa(Z)^2`), and :math:`R = R_1 R_0`. The condition of :math:`R_1` proves it
    afterwards; where it is too large the guide was not representative, and :math:`R_1 R_0` guides a
    second pass. Where the guide itself is well conditioned the product with :math:`R_0^{-1}` is
    left out. This is the preconditioned CholeskyQR of Fukaya et al., *SIAM J. Sci. Comput.* 42
    (2020) A477, with a sketched preconditioner as in Rokhlin & Tygert, *PNAS* 105 (2008) 13212.
`blockwise`
    Householder QR of block after block, each with the triangle so far on top (Golub & Van Loan,
    *Matrix Computations*, 4th ed., 5.2): for what `guided` cannot prove.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklsq._typing import FloatArray
from sklsq.solvers.blas import single_blas_thread
from sklsq.solvers.extended import two_sum
from sklsq.solvers.rows import Rows

__all__ = ["TriangularFactor", "blockwise", "factorise", "guided", "householder", "merge"]

_EPS = float(np.finfo(np.float64).eps)
_GUIDE_ROWS = 256
_WELL_CONDITIONED = 10.0  # κ(Z) up to which the Gram matrix loses less than two bits against QR
_GUIDABLE = 1e-3 / _EPS  # κ of a guide beyond which its inverse is noise
_MAX_PASSES = 3


@dataclass(frozen=True)
class TriangularFactor:
    """Triangular factor of the whitened rows ``[A | Y - A origin]``.

    Parameters
    ----------
    R : ndarray of shape (m, m)
        Upper triangle of A.
    z : ndarray of shape (m, t)
        The rotated right-hand sides.
    residual : ndarray of shape (t,)
        Sum of squares of what is left of each right-hand side.
    origin : ndarray of shape (m, t)
        Coefficients subtracted beforehand.
    n_samples : int
        Number of rows that went in.
    """

    R: FloatArray
    z: FloatArray
    residual: FloatArray
    origin: FloatArray
    n_samples: int


def factorise(rows: Rows) -> TriangularFactor:
    """Return the triangular factor of `rows` by the fastest way that is as accurate as Householder QR."""
    if rows.n_samples <= 4 * _guide_size(rows):
        return householder(rows)
    factor = guided(rows)
    return blockwise(rows) if factor is None else factor


def householder(rows: Rows) -> TriangularFactor:
    """Return the factor of all rows by one Householder QR."""
    A, Y = rows.whitened()
    origin = np.zeros((rows.n_columns, rows.n_targets))
    return _from_stack(A, Y, np.zeros(rows.n_targets), origin, rows.n_samples)


def merge(a: TriangularFactor, b: TriangularFactor) -> TriangularFactor:
    """Return the factor of the union of the rows of `a` and `b`, with the origin of `a`."""
    z_b = b.z + b.R @ (b.origin - a.origin)
    return _from_stack(
        np.vstack([a.R, b.R]),
        np.vstack([a.z, z_b]),
        a.residual + b.residual,
        a.origin,
        a.n_samples + b.n_samples,
    )


def blockwise(rows: Rows) -> TriangularFactor:
    """Return the factor by Householder QR of one block after another."""
    factor = None
    with single_blas_thread():
        for block in rows.blocks():
            part = householder(block)
            factor = part if factor is None else merge(factor, part)
    if factor is None:
        raise ValueError("`rows` must hold at least one row. Got 0.")
    return factor


def guided(rows: Rows) -> TriangularFactor | None:
    """Return the factor by Gram matrices of guided blocks, or None where that is not provably accurate."""
    index = np.random.default_rng(0).integers(0, rows.n_samples, _guide_size(rows))
    guide = householder(rows.take(np.unique(index)))
    R, condition = guide.R, _scaled_condition(guide.R)
    if not condition < _GUIDABLE:
        return None
    origin = np.linalg.solve(R, guide.z)
    inverse = None if condition <= _WELL_CONDITIONED else np.linalg.inv(R)
    for _ in range(_MAX_PASSES):
        gram = _gram(rows, inverse, origin)
        part = _cholesky(gram, rows.n_columns)
        if part is None:
            return None
        R1, z, residual = part
        R = R1 if inverse is None else R1 @ R
        condition = _scaled_condition(R1)
        if condition <= 2.0 * _WELL_CONDITIONED:
            return TriangularFactor(R, z, residual, origin, rows.n_samples)
        if not _scaled_condition(R) < _GUIDABLE:
            return None
        origin = origin + np.linalg.solve(R, z)
        inverse = np.linalg.inv(R)
    return None


def _guide_size(rows: Rows) -> int:
    return max(_GUIDE_ROWS, 5 * rows.n_columns)


def _from_stack(
    A: FloatArray, Y: FloatArray, residual: FloatArray, origin: FloatArray, n_samples: int
) -> TriangularFactor:
    m, t = A.shape[1], Y.shape[1]
    triangle = np.linalg.qr(np.hstack([A, Y]), mode="r")
    if not np.isfinite(triangle).all():
        raise FloatingPointError("The triangular factor is not finite.")
    if triangle.shape[0] < m:
        triangle = np.vstack([triangle, np.zeros((m - triangle.shape[0], m + t))])
    tail = triangle[m:, m:]
    residual = residual + np.einsum("ij,ij->j", tail, tail)
    return TriangularFactor(triangle[:m, :m], triangle[:m, m:], residual, origin, n_samples)


def _gram(rows: Rows, inverse: FloatArray | None, origin: FloatArray) -> FloatArray:
    """Return the Gram matrix of ``[A inverse | Y - A origin]``, whitened, in one pass over the rows."""
    m = rows.n_columns
    total = np.zeros((m + rows.n_targets, m + rows.n_targets))
    error = np.zeros_like(total)
    part = np.empty_like(total)
    with single_blas_thread():
        for block in rows.blocks():
            A = block.scaled_columns()
            E = block.weight(block.scaled_targets() - A @ origin)
            Z = block.weight(A)
            if inverse is not None:
                Z = Z @ inverse
            part[:m, :m] = Z.T @ Z
            part[:m, m:] = Z.T @ E
            part[m:, m:] = E.T @ E
            total, rounding = two_sum(total, part)
            error += rounding
    return total + error


def _cholesky(gram: FloatArray, n_columns: int) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """Return ``R, z, residual`` of a Gram matrix; None where it is not positive definite."""
    if not np.isfinite(np.trace(gram)):
        raise FloatingPointError("The Gram matrix is not finite.")
    m = n_columns
    norms = np.sqrt(np.diag(gram)[:m])
    if not norms.all():
        return None
    try:
        lower = np.linalg.cholesky(gram[:m, :m] / norms / norms[:, None])
    except np.linalg.LinAlgError:
        return None
    z = np.linalg.solve(lower, gram[:m, m:] / norms[:, None])
    residual = np.maximum(np.diag(gram)[m:] - np.einsum("ij,ij->j", z, z), 0.0)
    return lower.T * norms, z, residual


def _scaled_condition(R: FloatArray) -> float:
    """Return the condition number of `R` with columns of unit norm; infinite where a column is zero."""
    norms = np.sqrt(np.einsum("ij,ij->j", R, R))
    if not norms.all():
        return float("inf")
    values = np.linalg.svd(R / norms, compute_uv=False)
    return float(values[0] / values[-1]) if values[-1] > 0.0 else float("inf")
