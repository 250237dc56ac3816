r"""The sums over the points from which step, curvature and errors of York's line follow.

They are the weighted moments :math:`\sum W\,BB^\mathsf{T}` of :math:`B = (1, x, z, e)` and
:math:`Q = \sum \sigma_x^2 W^2 e^2` of the derivation in `sklsq.solvers.york`. With

.. math:: q = b\sigma_x^2 - \kappa, \qquad z = q\,We,

all moments are products of the three rows :math:`(W, We, Wz)` with the five rows :math:`(1, x,
x^2, e, z)`, one small matrix product. Where the errors of x and y are uncorrelated, q is b times
:math:`\sigma_x^2`; summed without the b, the product holds Q as well.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import add, multiply, reciprocal, subtract  # of few points the lookup takes its time

from sklsq._typing import FloatArray
from sklsq.solvers.errors_in_variables import Points

__all__ = ["Arrays", "Sums", "fill", "height", "products", "residuals", "sums", "work_arrays"]


class Sums(NamedTuple):
    """Weighted moments of (1, x, z, e), and Q."""

    one: float
    x: float
    z: float
    e: float
    xx: float
    xz: float
    xe: float
    zz: float
    ze: float
    ee: float
    Q: float


class Arrays(NamedTuple):
    """Work space for the points of a block.

    Parameters
    ----------
    rows, columns : ndarray of shape (3, n) and (n, 5)
        What is multiplied.
    one, x, xx, e, z, W, We, Wz : ndarray of shape (n,)
        Their parts.
    y, rest, q, tilt : ndarray of shape (n,)
        Ordinates from the centre, ``(1 - rho**2) sigma_y**2``, q (less the factor b for
        uncorrelated errors), and ``rho sigma_y``.
    """

    rows: FloatArray
    columns: FloatArray
    one: FloatArray
    x: FloatArray
    xx: FloatArray
    e: FloatArray
    z: FloatArray
    W: FloatArray
    We: FloatArray
    Wz: FloatArray
    y: FloatArray
    rest: FloatArray
    q: FloatArray
    tilt: FloatArray


def work_arrays(n_samples: int) -> Arrays:
    """Return work space for a block."""
    space = np.empty((12, n_samples))
    space[0].fill(1.0)
    return Arrays(space[5:8], space[:5].T, *space)


def fill(arrays: Arrays, points: Points, centre_x: float, centre_y: float) -> None:
    """Compute what does not change with the line; coordinates are from a centre."""
    sigma_x, sigma_y, rho = points.sigma_x, points.sigma_y, points.corr_xy
    subtract(points.x, centre_x, arrays.x)
    subtract(points.y, centre_y, arrays.y)
    multiply(arrays.x, arrays.x, arrays.xx)
    multiply(sigma_y, sigma_y, arrays.rest)
    if rho is None:
        multiply(sigma_x, sigma_x, arrays.q)
    else:
        multiply(rho, sigma_y, arrays.tilt)
        multiply(arrays.rest, (1.0 - rho) * (1.0 + rho), arrays.rest)


def residuals(arrays: Arrays, points: Points, slope: float) -> None:
    """Compute weights W, halves q of the derivatives of their reciprocals, and residuals e."""
    q, W, e = arrays.q, arrays.W, arrays.e
    if points.corr_xy is None:
        multiply(q, slope * slope, W)
    else:  # V = (b sigma_x - rho sigma_y)**2 + (1 - rho**2) sigma_y**2
        multiply(points.sigma_x, slope, q)
        subtract(q, arrays.tilt, q)
        multiply(q, q, W)
        multiply(q, points.sigma_x, q)
    add(W, arrays.rest, W)
    reciprocal(W, W)
    multiply(arrays.x, slope, e)
    subtract(arrays.y, e, e)


def height(arrays: Arrays) -> float:
    """Return the weighted mean of the residuals."""
    return float(arrays.W.dot(arrays.e)) / float(arrays.W.dot(arrays.one))


def products(arrays: Arrays, points: Points, intercept: float) -> tuple[FloatArray, float]:
    """Return the products of the rows, and Q of correlated errors, for residuals less a height."""
    rows, columns, _, _, _, e, z, W, We, Wz, *_ = arrays
    if intercept:
        subtract(e, intercept, e)
    multiply(W, e, We)
    multiply(arrays.q, We, z)
    multiply(W, z, Wz)
    matrix: FloatArray = rows.dot(columns)
    if points.corr_xy is None:
        return matrix, 0.0
    multiply(We, points.sigma_x, We)
    return matrix, float(We.dot(We))


def sums(matrix: FloatArray, Q: float, points: Points, slope: float) -> Sums:
    """Return the sums by name, from the products of all blocks."""
    (one, x, xx, e, z), (_, xe, _, ee, ze), (_, xz, _, _, zz) = matrix.tolist()
    if points.corr_xy is not None:
        return Sums(one, x, z, e, xx, xz, xe, zz, ze, ee, Q)
    b = slope
    return Sums(one, x, b * z, e, xx, b * xz, xe, b * zz * b, b * ze, ee, ze)
