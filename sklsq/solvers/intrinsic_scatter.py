r"""Scatter around the line beyond the stated errors.

The points scatter in y with an additional, unknown variance :math:`s^2`, the same for all:
:math:`V_i = \sigma_{y,i}^2 + s^2 + b^2\sigma_{x,i}^2 - 2b\kappa_i`. Given s, the line is that of
York (`sklsq.solvers.york`, `sklsq.solvers.york_plane`). Given the line, the likelihood of the
residuals, :math:`\prod V_i^{-1/2}\exp(-e_i^2/2V_i)`, is largest where

.. math:: h(s^2) = \sum (W_i^2 e_i^2 - W_i) = 0 .

Both equations are solved together. For exact x this is maximum likelihood in all parameters. With
errors of x it is so in :math:`s^2`, while the slope keeps York's equation: the determinant
:math:`\prod V_i^{-1/2}` also depends on b, and maximising it over b as well pulls the slope towards
zero by the share of the errors in the scatter of x, however many points there are, as it forgets
that the true points have a distribution of their own. The gradient of York's :math:`\chi^2`, and h,
have zero mean at the true line for any s, and their mean derivatives by each other's unknown
vanish, so that the line and :math:`s^2` are asymptotically independent, and

.. math:: \mathrm{Var}\,s^2 = 2 \Big/ \sum W_i^2, \qquad \sigma_s = \sigma_{s^2} / 2s .

As all maximum-likelihood variances, :math:`s^2` is low by about 2/n of the total. Where h(0) is not
positive, the stated errors explain the scatter and :math:`s = 0`, a boundary: :math:`\sigma_{s^2}`
then bounds :math:`s^2`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from sklsq._typing import ArrayLike, FloatArray
from sklsq.solvers.errors_in_variables import EIVSolution, Outcome
from sklsq.solvers.york import york_line
from sklsq.solvers.york_plane import york_plane

__all__ = ["ScatterSolution", "line_with_scatter", "plane_with_scatter"]

_TOLERANCE = 1e-12  # of the variance, relative


@dataclass(frozen=True)
class ScatterSolution:
    """A line or plane with the scatter around it.

    Parameters
    ----------
    plane : EIVSolution
        The line or plane, for errors of y that include the scatter; its outcome is `NO_SCATTER`
        at the boundary.
    variance, variance_std : float
        Intrinsic variance and its standard deviation.
    """

    plane: EIVSolution
    variance: float
    variance_std: float

    @property
    def scatter(self) -> float:
        """Intrinsic standard deviation."""
        return float(np.sqrt(self.variance))

    @property
    def scatter_std(self) -> float:
        """Standard deviation of `scatter`; NaN where that is zero."""
        return self.variance_std / (2.0 * self.scatter) if self.variance > 0.0 else float("nan")


def line_with_scatter(
    x: ArrayLike,
    y: ArrayLike,
    sigma_x: ArrayLike,
    sigma_y: ArrayLike,
    corr_xy: ArrayLike | None = None,
    *,
    fit_intercept: bool = True,
    tol: float = 1e-13,
    max_iter: int = 100,
) -> ScatterSolution:
    """Return York's line together with the intrinsic scatter around it.

    Parameters are those of `sklsq.solvers.york.york_line`; here both errors of a point may be
    zero. The covariance of the errors of x and y is kept when the scatter is added.

    Examples
    --------
    >>> from sklsq.solvers.intrinsic_scatter import line_with_scatter
    >>> fit = line_with_scatter([0.0, 1.0, 2.0, 3.0], [0.0, 1.5, 1.5, 3.0], 0.0, 0.0)
    >>> round(fit.variance, 6), fit.plane.params.round(6)
    (0.1125, array([0.15, 0.9 ]))
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    errors_x, errors_y = (
        np.broadcast_to(np.asarray(s, np.float64), x.shape) for s in (sigma_x, sigma_y)
    )
    rho = np.broadcast_to(np.asarray(0.0 if corr_xy is None else corr_xy, np.float64), x.shape)
    covariance = rho * errors_x * errors_y

    def fit(variance: float) -> EIVSolution:
        sigma = np.sqrt(np.square(errors_y) + variance)
        with np.errstate(all="ignore"):
            correlation = np.where(sigma > 0.0, rho * errors_y / sigma, 0.0)
        return york_line(
            x,
            y,
            errors_x,
            sigma,
            None if corr_xy is None else correlation,
            fit_intercept=fit_intercept,
            tol=tol,
            max_iter=max_iter,
        )

    def residuals(plane: EIVSolution) -> tuple[FloatArray, FloatArray]:
        intercept, slope = (0.0, *plane.params)[-2:]
        V = np.square(errors_y) + slope * (slope * np.square(errors_x) - 2.0 * covariance)
        return y - intercept - slope * x, V

    return _solved(fit, residuals, y, bool(((errors_x == 0.0) & (errors_y == 0.0)).any()))


def plane_with_scatter(
    X: ArrayLike,
    y: ArrayLike,
    sigma_x: ArrayLike,
    sigma_y: ArrayLike,
    *,
    fit_intercept: bool = True,
    tol: float = 1e-13,
    max_iter: int = 100,
) -> ScatterSolution:
    """Return the plane of `sklsq.solvers.york_plane.york_plane` with the scatter around it."""
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    errors_x = np.broadcast_to(np.asarray(sigma_x, np.float64), X.shape)
    errors_y = np.broadcast_to(np.asarray(sigma_y, np.float64), y.shape)

    def fit(variance: float) -> EIVSolution:
        sigma = np.sqrt(np.square(errors_y) + variance)
        return york_plane(
            X, y, errors_x, sigma, fit_intercept=fit_intercept, tol=tol, max_iter=max_iter
        )

    def residuals(plane: EIVSolution) -> tuple[FloatArray, FloatArray]:
        slopes = plane.params[-X.shape[1] :]
        intercept = plane.params[0] if fit_intercept else 0.0
        V = np.square(errors_y) + np.square(errors_x) @ slopes**2
        return y - intercept - X @ slopes, V

    return _solved(fit, residuals, y, bool(((errors_y == 0.0) & ~errors_x.any(axis=1)).any()))


def _solved(
    fit: Callable[[float], EIVSolution],
    residuals: Callable[[EIVSolution], tuple[FloatArray, FloatArray]],
    y: FloatArray,
    some_exact: bool,
) -> ScatterSolution:
    """Return the root of h, found by bracketing.

    Parameters
    ----------
    fit : callable
        The plane for a given intrinsic variance.
    residuals : callable
        The residuals of a plane, and their variance without intrinsic scatter.
    y : ndarray of shape (n,)
        Targets.
    some_exact : bool
        Whether a point has no error at all, so that the intrinsic variance cannot be zero.
    """
    largest = 2.0 * float(np.mean(np.square(y - y.mean()))) or 1.0

    def excess(variance: float) -> float:
        e, V = residuals(fit(variance))
        W = 1.0 / (V + variance)
        return float((np.square(W * e) - W).sum() / W.sum())

    smallest = largest * 1e-24 if some_exact else 0.0
    if not fit(smallest).converged or not excess(smallest) > 0.0:
        outcome = Outcome.EXACT if some_exact else Outcome.NO_SCATTER
        return _published(fit(smallest), residuals, smallest, outcome)
    while excess(largest) > 0.0:
        largest *= 4.0
    variance = float(brentq(excess, smallest, largest, xtol=1e-300, rtol=_TOLERANCE))
    return _published(fit(variance), residuals, variance, None)


def _published(
    plane: EIVSolution,
    residuals: Callable[[EIVSolution], tuple[FloatArray, FloatArray]],
    variance: float,
    outcome: Outcome | None,
) -> ScatterSolution:
    if not plane.converged:
        return ScatterSolution(plane, float("nan"), float("nan"))
    _, V = residuals(plane)
    std = float(np.sqrt(2.0 / np.square(1.0 / (V + variance)).sum()))
    if outcome is not None:
        plane = replace(plane, outcome=outcome)
        variance = 0.0
    return ScatterSolution(plane, variance, std)
