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
    """
    try:
        from odrpack import odr_fit
    except ImportError as error:
        raise ImportError(
            "`sigma_x` of a nonlinear fit needs odrpack. Install it with: pip install 'sklsq[odr]'"
        ) from error
    space, exact = curves.space, sigma_x == 0.0
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
        R=_root_of_information(result.cov_beta)[None],
        at_bound=at_bound[None],
    )


def _root_of_information(covariance: FloatArray) -> FloatArray:
    """Return R with ``R.T @ R`` the pseudo-inverse of a covariance."""
    scale = np.sqrt(np.diag(covariance))
    scale = np.where(scale > 0.0, scale, 1.0)
    values, vectors = np.linalg.eigh(covariance / scale / scale[:, None])
    known = values > len(values) * np.finfo(np.float64).eps * values.max(initial=0.0)
    roots = np.where(known, 1.0 / np.sqrt(np.where(known, values, 1.0)), 0.0)
    information: FloatArray = (vectors * roots).T / scale
    return information
