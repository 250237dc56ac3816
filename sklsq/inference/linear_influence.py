r"""A linear fit seen from outside: how its parameters and fitted values follow the data.

With whitened design matrix D (rows :math:`g_i/\sigma_i`) the fit maps whitened data z to parameters
:math:`C D^T z`, :math:`C = (D^T D)^{-1}`. Two fits of m targets tell the map without looking into
the estimator. The fitted values of random targets span the columns of D; let Q be an orthonormal
basis of them. The parameters of the targets Q, as rows of P, give

.. math::  C D^T = P^T Q^T, \quad C = P^T P, \quad h_i = |Q_i|^2,

and with their fitted values F at other points :math:`G C G^T = F F^T, \; C G^T = P^T F^T`. Nothing
is inverted, so that all digits of the estimator's own factor are kept.

Rows counted :math:`w_i` times (or left out) change the parameters by

.. math:: P^T (Q^T W Q)^{-1} Q^T W r, \quad r \text{ the whitened residuals of the fit.}

(D. C. Hoaglin and R. E. Welsch, "The hat matrix in regression and ANOVA", American Statistician 32
(1978) 17; the range of D from random targets: N. Halko, P.-G. Martinsson and J. A. Tropp, SIAM
Review 53 (2011) 217.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sklsq._typing import FloatArray, IntArray
from sklsq.inference.part_of_rows import fit_quietly, predict_quietly

__all__ = ["LinearInfluence", "is_linear", "linear_influence"]

_WELL_DETERMINED = 1e-4  # least eigenvalue of Qᵀ W Q: ten digits of the change at worst
_NEGLIGIBLE = 1e-8  # random targets lose no direction by that much; rounding is far below


@dataclass(frozen=True)
class LinearInfluence:
    """The map from whitened data to parameters of a linear fit.

    Parameters
    ----------
    orthonormal : ndarray of shape (n, r)
        Q: orthonormal basis of the whitened columns; r is their rank.
    params : ndarray of shape (r, m)
        P: parameters of the targets Q.
    estimator : fitted estimator
        Fitted to these targets.
    """

    orthonormal: FloatArray
    params: FloatArray
    estimator: Any

    @property
    def leverage(self) -> FloatArray:
        """Leverages h (n,), between 0 and 1; their sum is the rank."""
        return np.asarray(np.square(self.orthonormal).sum(axis=1))

    @property
    def on_params(self) -> FloatArray:
        """Change (m, n) of each parameter when a whitened datum grows by one."""
        return self.params.T @ self.orthonormal.T

    def change_by_counting(
        self, residual: FloatArray, counts: FloatArray, rows: IntArray | None = None
    ) -> FloatArray | None:
        """Return by how much the parameters (m,) change when rows count more or less often.

        Parameters
        ----------
        residual : ndarray of shape (n,)
            Whitened residuals of the fit.
        counts : ndarray of shape (n,), or of the shape of `rows`
            How often the rows count.
        rows : ndarray of int, optional
            Which rows; all others count once.

        Returns
        -------
        change : ndarray of shape (m,) or None
            None where so much weight is gone that the rest determines less than all rows did, or
            so badly that digits would be lost.
        """
        if rows is None:
            Q, weight = self.orthonormal, counts
            gram = (Q * weight[:, None]).T @ Q
        else:
            Q, residual, weight = self.orthonormal[rows], residual[rows], counts - 1.0
            gram = np.eye(Q.shape[1]) + (Q * weight[:, None]).T @ Q
        if not np.linalg.eigvalsh(gram)[0] > _WELL_DETERMINED:
            return None
        change: FloatArray = self.params.T @ np.linalg.solve(gram, Q.T @ (weight * residual))
        return change

    def roots(self, X: Any) -> FloatArray:
        """Return F (c, r) at points X: F Fᵀ is the covariance of the fitted values there."""
        return np.asarray(predict_quietly(self.estimator, X))


def is_linear(estimator: Any) -> bool:
    """Tell whether the fit is linear in data and parameters, in a basis that ignores y and rows.

    What can be fitted batch by batch into the same answer is linear. A basis that learns from the
    data, such as the knots of a spline, is not fixed.
    """
    basis = getattr(estimator, "basis", None)
    learns = hasattr(basis, "transform") and not hasattr(basis, "learn")
    return hasattr(estimator, "partial_fit") and hasattr(estimator, "absolute_sigma") and not learns


def linear_influence(estimator: Any, X: Any, sigma: Any, n_params: int) -> LinearInfluence:
    """Return the influence of data at X with errors `sigma` on a linear fit.

    Parameters
    ----------
    estimator : estimator
        A linear one; it is cloned.
    X : array_like of shape (n, p)
    sigma : float, ndarray of shape (n,) or None
        Standard deviations; None for equal ones, taken as 1.
    n_params : int
        Number m of parameters.
    """
    n_samples = len(X)
    size = 1.0 if sigma is None else np.asarray(sigma, dtype=np.float64)
    column = np.broadcast_to(size, (n_samples,))[:, None]
    noise = np.random.default_rng(0).standard_normal((n_samples, n_params))
    fitted = fit_quietly(estimator, X, column * noise, {"sigma": sigma}).predict(X) / column
    U, singular, _ = np.linalg.svd(fitted, full_matrices=False)
    Q = U[:, singular > _NEGLIGIBLE * singular[0]] if singular.size else U
    of_basis = fit_quietly(estimator, X, column * Q, {"sigma": sigma})
    return LinearInfluence(Q, of_basis.params_, of_basis)
