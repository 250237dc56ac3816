r"""Nonlinear fits with errors in x as well: orthogonal distance regression by ODRPACK.

Minimises :math:`\sum ((y_i - f(x_i + \delta_i))/\sigma_i)^2 + (\delta_i/\sigma_{x,i})^2` over
the parameters and the errors δ of the features (Boggs, Byrd & Schnabel, *SIAM J. Sci. Stat.
Comput.* 8 (1987) 1052), from the minimum without errors in x.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from sklsq._typing import FloatArray
from sklsq.estimators._curves import Curves
from sklsq.solvers.nonlinear_problem import Minima, Outcome

__all__ = ["by_distance"]

_CONVERGED = (1, 2, 3)  # last digit of ODRPACK's info: sums, parameters, or both settled


def by_distance(curves: Curves, minima: Minima, sigma_x: FloatArray, max_iter: int) -> Minima:
    """Return the minimum with errors in the features.

    Parameters
    ----------
    curves : Curves
        A single curve, without priors or covariance.
    minima : Minima
        Its minimum without errors in x.
    sigma_x : ndarray of shape (n, p)
        Standard deviations of the features, zero where they are exact.
    max_iter : int
        Largest number of steps.

    Raises
    ------
    ImportError
        If odrpack is not installed.
    ValueError
        If no parameter is free.
    """
    try:
        from odrpack import odr_fit
    except ImportError as error:
        raise ImportError(
            "`sigma_x` of a nonlinear fit needs odrpack. Install it with: pip install 'sklsq[odr]'"
        ) from error
    space, exact = curves.space, sigma_x == 0.0
    if not len(space.free):
        raise ValueError("`sigma_x` must come with a parameter to be found. Got none that is free.")
    if not np.isfinite(minima.params).all() or minima.outcome[0] == Outcome.START_NOT_FINITE:
        return minima
    rows: Any = (lambda a: a[:, 0]) if sigma_x.shape[1] == 1 else np.transpose
    lower, upper = space.box

    def values(x: Any, beta: Any) -> Any:
        X = x[:, None] if x.ndim == 1 else x.T
        return curves.model.evaluate(np.ascontiguousarray(X), space.expand(beta[None]))[0]

    result = odr_fit(
        values,
        rows(curves.X),
        curves.Y[0],
        np.clip(minima.params[0], lower, upper),
        weight_x=rows(np.where(exact, 1.0, sigma_x) ** -2.0),
        weight_y=np.broadcast_to(np.square(curves.weight[0]), curves.Y[0].shape).copy(),
        fix_x=rows(exact),
        bounds=(lower, upper),
        diff_scheme="central",
        maxit=max_iter,
        sstol=0.0,
        partol=1e-12,
    )
    converged = result.info % 10 in _CONVERGED
    at_bound = (result.beta <= lower) | (result.beta >= upper)
    return replace(
        minima,
        params=result.beta[None],
        chi2=np.array([result.sum_square]),
        cost=np.array([0.5 * result.sum_square]),
        n_iter=np.array([result.niter]),
        outcome=np.array([Outcome.CONVERGED if converged else Outcome.MAX_ITERATIONS], dtype=int),
        R=_root_of_information(curves, sigma_x, result.beta, result.delta)[None],
        at_bound=at_bound[None],
    )


def _root_of_information(
    curves: Curves, sigma_x: FloatArray, beta: FloatArray, delta: FloatArray
) -> FloatArray:
    r"""Return R of the derivatives at the adjusted points, the errors of x eliminated.

    To first order a point is off the curve by its error in y and by that in x times the slope
    there, so that its variance is :math:`\sigma^2 + \sum_j (\partial_j f\,\sigma_{x,j})^2`.
    """
    params = curves.space.expand(beta[None])
    X = curves.X + (delta[:, None] if delta.ndim == 1 else delta.T)
    variance = np.broadcast_to(curves.weight[0] ** -2.0, len(X)).copy()
    for j in np.flatnonzero(sigma_x.any(axis=0)):
        step = np.cbrt(np.finfo(np.float64).eps) * np.maximum(np.abs(X[:, j]), sigma_x[:, j])
        step[step == 0.0] = 1.0  # an exact zero, whose slope does not matter
        right, left = X.copy(), X.copy()
        right[:, j] += step
        left[:, j] -= step
        rise = curves.model.evaluate(right, params)[0] - curves.model.evaluate(left, params)[0]
        variance += np.square(rise / (right[:, j] - left[:, j]) * sigma_x[:, j])
    _, J = curves.model.linearise(X, params)
    rows = curves.space.reduce(J, params)[0] / np.sqrt(variance)
    k = len(rows)
    if not np.isfinite(rows).all():
        return np.full((k, k), np.nan)
    R = np.linalg.qr(rows.T, mode="r")
    return np.concatenate([R, np.zeros((k - len(R), k))])
