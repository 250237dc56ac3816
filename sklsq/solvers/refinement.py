r"""Iterative refinement of a least-squares solution with doubled precision.

Given the whitened problem :math:`\min\|Y - A\theta\|` and any W with :math:`W W^\mathsf{T} \approx
(A^\mathsf{T}A)^{-1}`, the correction

.. math:: \delta = W\,(W^\mathsf{T} A^\mathsf{T}(Y - A\theta))

reduces the error of θ, measured by :math:`\|A\,\cdot\|`, by a factor of about
:math:`\varepsilon\kappa` per step, κ the condition number of A with columns of unit norm,
*provided* the residual and its product with A are formed without the rounding they would suffer in
double precision (Björck, *Numerical Methods for Least Squares Problems*, 2.9; Demmel, Hida, Riedy &
Li, *ACM TOMS* 35 (2009) 28). Along the weakest direction an error may first come back multiplied by
:math:`\varepsilon\kappa^2`, which is what decides when to stop. Residual, product and θ itself are
double-double here: two or three steps give every digit of the exact solution of the matrix at hand,
at any κ well below :math:`1/\varepsilon`.

Standard errors depend on W alone, which a QR in double precision leaves with an error of
:math:`\varepsilon\kappa`. Where that matters, the Gram matrix of :math:`A W`, formed in
double-double, is the identity up to that error; with its Cholesky factor L, :math:`W
L^{-\mathsf{T}}` is W to nearly full precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklsq._typing import FloatArray
from sklsq.solvers.extended import DoubleDouble, matmul, sum_rows, two_sum
from sklsq.solvers.rows import Rows

__all__ = ["Refined", "affordable", "polish", "refine"]

_EPS = float(np.finfo(np.float64).eps)
_MAX_STEPS = 5
_SMALL_GAIN = 1e-3  # share of χ² that may be subtracted from it without losing digits
_LARGE_CORRECTION = 1e-3
_RESIDUAL_ELEMENTS = 60_000  # n·m for which a refinement step costs about a millisecond
_SHARPEN_ELEMENTS = 600_000  # n·m² likewise for sharpening


@dataclass(frozen=True)
class Refined:
    """A refined solution.

    Parameters
    ----------
    coefficients : DoubleDouble of shape (m, t)
        Coefficients of the internal columns.
    inverse_root : ndarray of shape (m, rank)
        Root of their covariance.
    chi2 : ndarray of shape (t,)
        Sum of squares of the whitened residuals.
    """

    coefficients: DoubleDouble
    inverse_root: FloatArray
    chi2: FloatArray


def affordable(rows: Rows) -> bool:
    """Tell whether refinement of a problem of this size takes milliseconds only."""
    n, m, t = rows.n_samples, rows.n_columns, rows.n_targets
    return n * m * t <= _RESIDUAL_ELEMENTS and n * m * m <= _SHARPEN_ELEMENTS


def refine(
    rows: Rows, inverse_root: FloatArray, coefficients: FloatArray, condition: float
) -> Refined:
    """Return the solution refined with residuals in double-double.

    Parameters
    ----------
    rows : Rows
        The problem.
    inverse_root : ndarray of shape (m, rank)
        W of the module's derivation.
    coefficients : ndarray of shape (m, t)
        Solution to start from.
    condition : float
        Condition number of the columns scaled to unit norm; infinite when rank deficient.
    """
    A, Y = rows.whitened_extended()
    W = _sharpen(A, inverse_root)
    columns = [
        _refine_target(A, Y[:, k], W, coefficients[:, k], condition) for k in range(rows.n_targets)
    ]
    return Refined(
        DoubleDouble(
            np.stack([theta.hi for theta, _ in columns], axis=1),
            np.stack([theta.lo for theta, _ in columns], axis=1),
        ),
        W,
        np.array([chi2 for _, chi2 in columns]),
    )


def polish(rows: Rows, inverse_root: FloatArray, coefficients: FloatArray) -> Refined:
    """Return the solution after one step of refinement in double precision.

    It removes what the rounding errors of a QR factorisation have accumulated: enough where the
    problem, and the change to the user's parameters, are well conditioned. Parameters as in
    `refine`.
    """
    A, Y = rows.whitened()
    Z = A @ inverse_root
    W = _orthonormalise(Z.T @ Z, inverse_root)
    residual = Y - A @ coefficients
    step = W @ (W.T @ (A.T @ residual))
    residual = residual - A @ step
    chi2 = np.einsum("ij,ij->j", residual, residual)
    return Refined(DoubleDouble(*two_sum(coefficients, step)), W, chi2)


def _refine_target(
    A: DoubleDouble, y: DoubleDouble, W: FloatArray, start: FloatArray, condition: float
) -> tuple[DoubleDouble, float]:
    theta = DoubleDouble(start)
    contraction = min(_EPS * condition**2, 1.0)  # of the error along the weakest direction
    for _ in range(_MAX_STEPS):
        residual = y - sum_rows((A * theta).T)
        gradient = sum_rows(A * residual[:, None])
        rotated = matmul(W.T, gradient[:, None]).hi[:, 0]
        step = W @ rotated
        theta = theta + step
        if np.all(contraction * np.abs(step) <= _EPS**1.25 * np.abs(theta.hi)):
            break
    before = float(residual.hi @ residual.hi)
    gain = float(rotated @ rotated)
    if gain <= _SMALL_GAIN * before:
        return theta, before - gain
    final = (y - sum_rows((A * theta).T)).hi
    return theta, float(final @ final)


def _sharpen(A: DoubleDouble, W: FloatArray) -> FloatArray:
    """Return `W` with the error of double precision removed."""
    for _ in range(2):
        Z = matmul(A, W).hi
        gram = Z.T @ Z
        W = _orthonormalise(gram, W)
        if np.abs(gram - np.eye(gram.shape[0])).max() < _LARGE_CORRECTION:
            break
    return W


def _orthonormalise(gram: FloatArray, W: FloatArray) -> FloatArray:
    """Return `W` rotated and scaled such that the Gram matrix of A W becomes the identity."""
    orthonormal: FloatArray = np.linalg.solve(np.linalg.cholesky(gram), W.T).T
    return orthonormal
