r"""Losses that give outliers less say, as weights on residuals and their Jacobian.

Instead of :math:`\tfrac12\sum r_i^2` the fit minimises :math:`\tfrac12 C^2\sum\rho(r_i^2/C^2)` with
the scale C of an ordinary residual. With :math:`z = r^2/C^2` the gradient is :math:`J^\mathsf{T}
\rho'(z) r` and, without second derivatives of the model, the curvature :math:`J^\mathsf{T} (\rho' +
2\rho'' z) J`. Both are those of an ordinary least-squares problem with

.. math:: \tilde J_i = \sqrt{\rho' + 2\rho''z}\; J_i, \qquad
          \tilde r_i = \frac{\rho'}{\sqrt{\rho' + 2\rho''z}}\; r_i

(Triggs, McLauchlan, Hartley & Fitzgibbon, *Bundle adjustment: a modern synthesis*, 2000; the same
in `scipy.optimize.least_squares`), the root bounded away from zero where ρ is concave.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sklsq._typing import FloatArray

__all__ = ["LOSSES", "robust_cost", "robust_weights"]

_EPS = float(np.finfo(np.float64).eps)
_Loss = Callable[[FloatArray], tuple[FloatArray, FloatArray, FloatArray]]


def _soft_l1(z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    root = np.sqrt(1.0 + z)
    return 2.0 * z / (root + 1.0), 1.0 / root, -0.5 / root**3


def _huber(z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    root = np.sqrt(np.maximum(z, 1.0))
    inner = z <= 1.0
    return np.where(inner, z, 2.0 * root - 1.0), 1.0 / root, np.where(inner, 0.0, -0.5 / root**3)


def _cauchy(z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    slope = 1.0 / (1.0 + z)
    return np.log1p(z), slope, -(slope**2)


def _arctan(z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    slope = 1.0 / (1.0 + z**2)
    return np.arctan(z), slope, -2.0 * z * slope**2


LOSSES: dict[str, _Loss] = {
    "soft_l1": _soft_l1,
    "huber": _huber,
    "cauchy": _cauchy,
    "arctan": _arctan,
}


def robust_cost(residuals: FloatArray, loss: str, scale: float, n_plain: int) -> FloatArray:
    """Return the cost (...,) of residuals (..., n), the last `n_plain` of them squared as usual."""
    z = (residuals / scale) ** 2
    value = LOSSES[loss](z)[0]
    if n_plain:
        value[..., -n_plain:] = z[..., -n_plain:]
    cost: FloatArray = 0.5 * scale**2 * value.sum(axis=-1)
    return cost


def robust_weights(
    residuals: FloatArray, loss: str, scale: float, n_plain: int
) -> tuple[FloatArray, FloatArray]:
    """Return the factors (..., n) of the residuals and of the rows of the Jacobian."""
    z = (residuals / scale) ** 2
    _, slope, bend = LOSSES[loss](z)
    root = np.sqrt(np.maximum(slope + 2.0 * bend * z, _EPS))
    of_residuals, of_rows = slope / root, root
    if n_plain:
        of_residuals[..., -n_plain:] = 1.0
        of_rows[..., -n_plain:] = 1.0
    return of_residuals, of_rows
