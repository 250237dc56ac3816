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
from sklsq.solvers.extended import two_sum
from sklsq.solvers.rows import Rows, scale_rows
from sklsq.solvers.split_product import split_product

__all__ = ["TriangularFactor", "blockwise", "factorise", "guided", "householder", "merge"]

_EPS = float(np.finfo(np.float64).eps)
_GUIDE_ROWS = 256
_WELL_CONDITIONED = 10.0  # κ(Z) up to which the Gram matrix loses less than two bits against QR
_GUIDABLE = 1e-3 / _EPS  # κ of a guide beyond which its inverse is noise
_MAX_PASSES = 3
_STACKED_TARGETS = 8  # more right-hand sides than that are cheaper to multiply by Q


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
    inverse : ndarray of shape (m, m), optional
        The inverse of R up to a rotation from the right, where it is known better than R tells.
    """

    R: FloatArray
    z: FloatArray
    residual: FloatArray
    origin: FloatArray
    n_samples: int
    inverse: FloatArray | None = None


def factorise(rows: Rows) -> TriangularFactor:
    """Return the factor of `rows` by the fastest way that is as accurate as Householder QR."""
    if rows.n_samples <= 4 * _guide_size(rows):
        return householder(rows)
    factor = guided(rows)
    return blockwise(rows) if factor is None else factor


def householder(rows: Rows) -> TriangularFactor:
    """Return the factor of all rows by one Householder QR."""
    A, Y = rows.whitened()
    R, z, residual = _qr(A, Y)
    return TriangularFactor(R, z, residual, np.zeros_like(z), rows.n_samples)


def merge(a: TriangularFactor, b: TriangularFactor) -> TriangularFactor:
    """Return the factor of the union of the rows of `a` and `b`, with the origin of `a`."""
    z_b = b.z + b.R @ (b.origin - a.origin)
    R, z, residual = _qr(np.vstack([a.R, b.R]), np.vstack([a.z, z_b]))
    residual = residual + a.residual + b.residual
    return TriangularFactor(R, z, residual, a.origin, a.n_samples + b.n_samples)


def blockwise(rows: Rows) -> TriangularFactor:
    """Return the factor by Householder QR of one block after another."""
    blocks = rows.blocks()
    factor = householder(next(blocks))
    for block in blocks:
        factor = merge(factor, householder(block))
    return factor


def guided(rows: Rows) -> TriangularFactor | None:
    """Return the factor by Gram matrices of guided blocks; None where that fails.

    See the derivation above.
    """
    index = np.random.default_rng(0).integers(0, rows.n_samples, _guide_size(rows))
    guide = householder(rows.take(np.unique(index)))
    R, condition = guide.R, _scaled_condition(guide.R)
    if not condition < _GUIDABLE:
        return None
    inverse = np.linalg.inv(R)
    origin, applied = inverse @ guide.z, condition > _WELL_CONDITIONED
    for _ in range(_MAX_PASSES):
        part = _cholesky(*_gram(rows, inverse if applied else None, origin))
        if part is None:
            return None
        R1, z, residual = part
        R = R1 @ R if applied else R1
        if _scaled_condition(R1) <= 2.0 * _WELL_CONDITIONED:
            inverse = inverse @ np.linalg.inv(R1) if applied else np.linalg.inv(R)
            return TriangularFactor(R, z, residual, origin, rows.n_samples, inverse)
        if not _scaled_condition(R) < _GUIDABLE:
            return None
        inverse, applied = np.linalg.inv(R), True
        origin = origin + inverse @ z
    return None


def _guide_size(rows: Rows) -> int:
    return max(_GUIDE_ROWS, 5 * rows.n_columns)


def _qr(A: FloatArray, Y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return R (m, m), z (m, t) and the sums of squares (t,) left, of ``[A | Y]``."""
    m, t = A.shape[1], Y.shape[1]
    if t <= _STACKED_TARGETS:
        triangle: FloatArray = np.asarray(np.linalg.qr(np.hstack([A, Y]), mode="r"))
        tail = triangle[m:, m:]
    else:
        Q, R = np.linalg.qr(A)
        z = Q.T @ Y
        triangle, tail = np.hstack([R, z]), Y - Q @ z
    if not np.isfinite(triangle).all():
        raise FloatingPointError("The triangular factor is not finite.")
    if triangle.shape[0] < m:
        triangle = np.vstack([triangle, np.zeros((m - triangle.shape[0], m + t))])
    return triangle[:m, :m], triangle[:m, m:], np.einsum("ij,ij->j", tail, tail)


def _gram(
    rows: Rows, inverse: FloatArray | None, origin: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return ``Z.T Z``, ``Z.T E`` and the squared norms of E in one pass over the rows."""
    m, t = rows.n_columns, rows.n_targets
    special = getattr(rows.columns, "gram", None) if inverse is None else None
    total = [np.zeros((m, m)), np.zeros((m, t)), np.zeros(t)]
    error = [np.zeros_like(part) for part in total]
    for block in rows.blocks():
        Z, E = _guided_block(block, inverse, origin)
        gram = Z.T @ Z if special is None or rows.scaling is not None else special(Z)
        for k, part in enumerate((gram, Z.T @ E, np.einsum("ij,ij->j", E, E))):
            total[k], rounding = two_sum(total[k], part)
            error[k] += rounding
    return total[0] + error[0], total[1] + error[1], total[2] + error[2]


def _guided_block(
    block: Rows, inverse: FloatArray | None, origin: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return Z and E of one block."""
    if inverse is None:
        A, Y = block.whitened()
        return A, Y - A @ origin
    A, Y = block.unweighted()
    leading, rest = split_product(A, np.hstack([inverse, origin]))
    Z, m = leading + rest, inverse.shape[1]
    weight = block.root_weight()
    return scale_rows(Z[:, :m], weight), scale_rows(Y - leading[:, m:] - rest[:, m:], weight)


def _cholesky(
    gram: FloatArray, right: FloatArray, squares: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """Return ``R, z, residual`` of a Gram matrix; None where it is not positive definite."""
    if not (np.isfinite(np.trace(gram)) and np.isfinite(squares).all()):
        raise FloatingPointError("The Gram matrix is not finite.")
    norms = np.sqrt(np.diag(gram))
    if not norms.all():
        return None
    try:
        lower = np.linalg.cholesky(gram / norms / norms[:, None])
    except np.linalg.LinAlgError:
        return None
    z = np.linalg.solve(lower, right / norms[:, None])
    residual = np.maximum(squares - np.einsum("ij,ij->j", z, z), 0.0)
    return lower.T * norms, z, residual


def _scaled_condition(R: FloatArray) -> float:
    """Return the condition number of `R` with columns of unit norm."""
    norms = np.sqrt(np.einsum("ij,ij->j", R, R))
    if not norms.all():
        return float("inf")
    values = np.linalg.svd(R / norms, compute_uv=False)
    return float(values[0] / values[-1]) if values[-1] > 0.0 else float("inf")
