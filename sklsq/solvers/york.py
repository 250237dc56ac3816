r"""The straight line through points with errors in both coordinates.

The problem. Point i was measured at :math:`(x_i, y_i)` with standard deviations
:math:`\sigma_{x,i}, \sigma_{y,i}` and covariance :math:`\kappa_i = \rho_i\sigma_{x,i}\sigma_{y,i}`.
Minimising the sum of squares over the line :math:`y = a + bx` *and* the true points on it leaves,
after elimination of the true points,

.. math:: \chi^2(a, b) = \sum_i W_i e_i^2, \qquad e_i = y_i - a - b x_i, \qquad
          W_i^{-1} = V_i = \sigma_{y,i}^2 + b^2\sigma_{x,i}^2 - 2b\kappa_i .

With :math:`q_i = \tfrac12 dV_i/db = b\sigma_{x,i}^2 - \kappa_i` and :math:`z_i = q_i W_i e_i`, the
least-squares estimate of the true abscissa, the *adjusted* point, is :math:`\hat x_i = x_i + z_i`,
and

.. math:: -\tfrac12\,\partial\chi^2 = \Bigl(\sum W_i e_i,\; \sum W_i e_i \hat x_i\Bigr), \qquad
          H = \tfrac12\,\partial^2\chi^2
          = \sum W_i \begin{bmatrix} 1 & p_i \\ p_i & p_i^2 \end{bmatrix}
          - \begin{bmatrix} 0 & 0 \\ 0 & Q \end{bmatrix}, \quad p_i = x_i + 2 z_i, \quad
          Q = \sum \sigma_{x,i}^2 W_i^2 e_i^2 .

The equation :math:`\sum W e\hat x = 0` is the "least-squares cubic" of York [1]_, [2]_; the usual
fixed point iterates on it, Newton's method with the H above converges quadratically and tells a
minimum from a maximum. All sums above, and all of those below, are entries of Q and of the moments
:math:`M = \sum W B B^\mathsf{T}` of :math:`B = (1, x, z, e)`: one pass over the points gives the
step and the errors.

Slopes near the vertical are avoided by exchanging x and y; the sums of the exchanged line are a
linear map of M. The start comes from `york_start`, a search of all directions, as :math:`\chi^2(b)`
can have several minima; points that `york_certificate` proves to have one only need no search.

The errors. Four definitions are in use, which differ by a few percent where the errors of x are
large against the scatter; all are absolute (for the stated σ) and none includes a factor
:math:`\chi^2/\mathrm{dof}`:

``"adjusted"``
    Inverse of :math:`\sum W (1, \hat x)(1, \hat x)^\mathsf{T}`: York et al. 2004 [1]_, the
    Gauss-Newton matrix of the whitened residuals :math:`e/\sqrt V`, and what later software prints.
``"observed"``
    The same with the measured x: York 1966 [2]_, ``lsqcubic.m``.
``"hessian"``
    :math:`H^{-1}`, the curvature of :math:`\chi^2`.
``"propagated"``
    :math:`H^{-1} K H^{-1}`, the errors of the data carried through the solution to first order
    (Reed 1992, Kalantar 1992, GUM); K is the covariance of the gradient, :math:`\sum W (1, \hat
    x)(1, \hat x)^\mathsf{T} + \mathrm{diag}(0, Q - \sum W z^2)`.

References
----------
.. [1] York, D., Evensen, N. M., Martínez, M. L. and De Basabe Delgado, J. (2004), Unified equations
   for the slope, intercept, and standard errors of the best straight line, Am. J. Phys. 72, 367.
.. [2] York, D. (1966), Least-squares fitting of a straight line, Can. J. Phys. 44, 1079;
   Williamson, J. H. (1968), Can. J. Phys. 46, 1845; Reed, B. C. (1992), Am. J. Phys. 60, 59.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from sklsq._typing import ArrayLike, FloatArray
from sklsq.solvers.errors_in_variables import EIVSolution, Outcome, Points, measured_points
from sklsq.solvers.york_descent import Descent, Line, Moments, Task, moments
from sklsq.solvers.york_small import small_descent
from sklsq.solvers.york_start import SAMPLE, Frame, Minimum, clear_minimum, lowest_minimum, typical
from sklsq.solvers.york_sums import Sums

__all__ = ["DEFINITIONS", "adjusted_points", "covariances_about", "ordinary_line", "york_line"]

DEFINITIONS = ("adjusted", "observed", "hessian", "propagated")
"""Definitions of the covariance, the default first."""

_EPS = float(np.finfo(np.float64).eps)
_CONSTANT = 10.0 * _EPS  # spread, relative to the centre, that is but rounding
_ORDINARY = 150  # powers of two up to which squares and their products stay within range


def york_line(
    x: ArrayLike,
    y: ArrayLike,
    sigma_x: ArrayLike,
    sigma_y: ArrayLike,
    corr_xy: ArrayLike | None = None,
    *,
    fit_intercept: bool = True,
    tol: float = 1e-13,
    max_iter: int = 100,
) -> EIVSolution:
    """Return the line of least squares through points with errors in both coordinates.

    Parameters
    ----------
    x, y : array_like of shape (n,)
        Measured coordinates.
    sigma_x, sigma_y : array_like of shape (n,) or float
        Standard deviations. Zero means exact; both may not be zero in the same point.
    corr_xy : array_like of shape (n,) or float, optional
        Correlation of the errors of x and y of a point.
    fit_intercept : bool
        False for a line through the origin; `params` is then the slope alone.
    tol : float
        Relative change of the slope at which the iteration ends.
    max_iter : int
        Largest number of passes over the points for one minimum.

    Returns
    -------
    EIVSolution
        Intercept and slope with their covariance under each of `DEFINITIONS`, for the stated
        errors, not scaled by chi-square. A vertical line, or points that determine no line, have
        an `outcome` that says so and NaN where there is no number.

    Raises
    ------
    ValueError
        If the arguments are not errors of points (see `measured_points`).

    Examples
    --------
    >>> from sklsq.solvers.york import york_line
    >>> line = york_line([1.0, 2.0, 3.0], [1.0, 2.1, 2.9], 0.1, 0.1)
    >>> line.params.round(4), line.dof
    (array([0.0925, 0.9538]), 1)
    """
    points = measured_points(x, y, sigma_x, sigma_y, corr_xy)
    with np.errstate(all="ignore"):  # what is not finite is looked for, and told by the outcome
        task = Task(fit_intercept, tol, max_iter)
        clear = clear_minimum(points, task)
        if clear is not None:
            return _published(clear[0], points, clear[1])
        return _degenerate(points, fit_intercept) or _regular(points, task)


def ordinary_line(points: Points, task: Task) -> Descent | None:
    """Return the line about a centre of the points; None where it needs `york_line`.

    That is the case where there may be no line, or none of finite slope; where numbers are so
    extreme that squares may leave the range of doubles; and where some are not finite.

    Parameters
    ----------
    points : Points
        The measured points, of positive `sigma_y`, `sigma_x` not negative, correlations below one.
    task : Task
        Model, tolerance, and limit of the iteration.
    """
    with np.errstate(all="ignore"):  # what is not finite is looked for
        descent = small_descent(points, task)
        if descent is not None:
            return descent
        sample = points.sample(SAMPLE)
        frame = typical(sample, task.has_intercept)
        finite = points.sigma_x.max() < np.inf and points.sigma_y.max() < np.inf
        varies = frame.spread_x > _CONSTANT * abs(frame.centre_x) and frame.spread_y > 0.0
        if not (finite and varies) or max(map(abs, _powers(sample, frame))) > _ORDINARY:
            return None
        found = lowest_minimum(points, sample, frame, task)
        descent = found.descent
        if descent.outcome is not Outcome.CONVERGED or _is_vertical(found, frame):
            return None
        if found.exchanged:
            line, sums = _exchanged(descent.line), _exchanged_sums(descent.sums)
            return descent._replace(line=line, sums=sums)
        return descent


def adjusted_points(
    params: FloatArray,
    x: ArrayLike,
    y: ArrayLike,
    sigma_x: ArrayLike,
    sigma_y: ArrayLike,
    *,
    corr_xy: ArrayLike | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return the least-squares estimates of the true points, which lie on the line.

    Parameters
    ----------
    params : ndarray of shape (2,) or (1,)
        Intercept and slope, or the slope of a line through the origin.
    x, y, sigma_x, sigma_y, corr_xy
        As in `york_line`.

    Returns
    -------
    adjusted_x, adjusted_y : ndarray of shape (n,)
        Coordinates of the adjusted points.
    """
    points = measured_points(x, y, sigma_x, sigma_y, corr_xy)
    intercept, slope = (0.0, *params) if params.shape[0] == 1 else params
    covariance = 0.0 if points.corr_xy is None else points.corr_xy * points.sigma_x * points.sigma_y
    q = slope * np.square(points.sigma_x) - covariance
    V = np.square(points.sigma_y) + slope * (q - covariance)
    adjusted_x = points.x + q / V * (points.y - intercept - slope * points.x)
    return adjusted_x, intercept + slope * adjusted_x


def _degenerate(points: Points, fit_intercept: bool) -> EIVSolution | None:
    """Return the answer where all x or all y are the same (zero, for lines through the origin)."""
    same_x, same_y = (_is_constant(v, fit_intercept) for v in (points.x, points.y))
    if same_x and (same_y or not points.sigma_x.any()):
        return _undetermined(points, fit_intercept)
    if same_x:
        return _without_answer(fit_intercept, points.n_samples, Outcome.VERTICAL, chi2=0.0)
    return _horizontal(points, fit_intercept) if same_y else None


def _horizontal(points: Points, fit_intercept: bool) -> EIVSolution:
    """Return the line through points of the same y."""
    centre = (float(points.x.mean()), float(points.y[0])) if fit_intercept else (0.0, 0.0)
    line = Line(0.0, 0.0, *centre)
    sums = moments(points, line, fit_intercept)
    solution = _solution(line, sums, points.n_samples, 1, Outcome.CLOSED_FORM)
    return replace(solution, chi2=0.0)


def _is_constant(values: FloatArray, fit_intercept: bool) -> bool:
    value = values[0] if fit_intercept else 0.0
    return bool((values[:SAMPLE] == value).all() and (values == value).all())


def _undetermined(points: Points, fit_intercept: bool) -> EIVSolution:
    """Return the flattest of all lines: horizontal, through the weighted mean."""
    weight = 1.0 / np.square(points.sigma_y) if points.sigma_y.all() else np.ones(points.n_samples)
    residual = points.y - points.y[0] if fit_intercept else points.y
    height = float(weight @ residual / weight.sum()) if fit_intercept else 0.0
    chi2 = float(weight @ np.square(residual - height))
    empty = _without_answer(fit_intercept, points.n_samples, Outcome.UNDETERMINED, chi2=chi2)
    params = np.array([points.y[0] + height, 0.0][-empty.params.shape[0] :])
    null_space = np.array([[-points.x.mean(), 1.0][-params.shape[0] :]])
    return replace(empty, params=params, null_space=null_space)


def _without_answer(
    fit_intercept: bool, n_samples: int, outcome: Outcome, *, chi2: float, n_iter: int = 1
) -> EIVSolution:
    params = np.array([np.nan, np.inf][-1 - fit_intercept :])
    covariances = _nothing(params.shape[0])
    return EIVSolution(params, covariances, chi2, n_samples, n_iter, outcome)


def _nothing(m: int) -> dict[str, FloatArray]:
    return {name: np.full((m, m), np.nan) for name in DEFINITIONS}


def _frame(points: Points, sample: Points, fit_intercept: bool) -> Frame:
    frame = typical(sample, fit_intercept)
    if frame.spread_x > 0.0 and frame.spread_y > 0.0:
        return frame
    return typical(points, fit_intercept)


def _powers(sample: Points, frame: Frame) -> tuple[int, int, int]:
    """Return the sizes of x, of y, and of the errors relative to them, as powers of two."""
    relative = np.hypot(sample.sigma_x / frame.spread_x, sample.sigma_y / frame.spread_y)
    x, y, sigma = math.frexp(frame.spread_x), math.frexp(frame.spread_y), float(relative.mean())
    return x[1], y[1], math.frexp(sigma)[1]


def _scaled(solution: EIVSolution, x: int, y: int, sigma: int) -> EIVSolution:
    """Return the solution in the units from which the points were divided by powers of two."""
    m = solution.params.shape[0]
    power = np.array([y, y - x][-m:])
    squared = power + power[:, None] + 2 * sigma
    return replace(
        solution,
        params=np.ldexp(solution.params, power),
        determined={k: np.ldexp(v, squared) for k, v in solution.determined.items()},
        chi2=float(np.ldexp(solution.chi2, -2 * sigma)),
    )


def _regular(points: Points, task: Task) -> EIVSolution:
    """Return the solution where both coordinates vary."""
    sample = points.sample(SAMPLE)
    frame = _frame(points, sample, task.has_intercept)
    powers = _powers(sample, frame)
    scaled = max(map(abs, powers)) > _ORDINARY
    if scaled:
        points = points.scaled(*(-power for power in powers))
        sample = points.sample(SAMPLE)
        frame = _frame(points, sample, task.has_intercept)
    found = lowest_minimum(points, sample, frame, task)
    solution = _published(found, points, frame)
    return _scaled(solution, *powers) if scaled else solution


def _published(found: Minimum, points: Points, frame: Frame) -> EIVSolution:
    """Return the solution that belongs to a minimum."""
    n_samples, descent = points.n_samples, found.descent
    line, sums = descent.line, descent.sums
    if descent.outcome is Outcome.UNDETERMINED:
        return _undetermined(points, sums.has_intercept)
    if found.exchanged:
        if _is_vertical(found, frame):
            return _without_answer(
                sums.has_intercept,
                n_samples,
                Outcome.VERTICAL,
                chi2=sums.chi2,
                n_iter=descent.n_iter,
            )
        line, sums = _exchanged(line), _exchanged_sums(sums)
    return _solution(line, sums, n_samples, descent.n_iter, descent.outcome)


def _is_vertical(found: Minimum, frame: Frame) -> bool:
    """Whether the line is parallel to the y axis to rounding."""
    slope = found.descent.line.slope
    return found.exchanged and abs(slope) <= 4.0 * _EPS * frame.scale(exchanged=True)


def _exchanged(line: Line) -> Line:
    return Line(1.0 / line.slope, -line.intercept / line.slope, line.centre_y, line.centre_x)


def _exchanged_sums(moments: Moments) -> Moments:
    """Return the sums of the line ``x(y)`` for the line ``y(x)``, of slope b.

    The adjusted points are the same, e and the root of the variance grow by -b and b, and
    ``sum V (W e)**2 = chi2`` gives the other Q.
    """
    line, sums = moments.line, moments.sums
    t, b = line.slope, 1.0 / line.slope
    M = np.array(
        [
            [sums.one, sums.x, sums.z, sums.e],
            [sums.x, sums.xx, sums.xz, sums.xe],
            [sums.z, sums.xz, sums.zz, sums.ze],
            [sums.e, sums.xe, sums.ze, sums.ee],
        ]
    )
    L = np.array(
        [
            [1.0, 0.0, 0.0, 0.0],
            [line.intercept, t, 0.0, 1.0],
            [0.0, 0.0, t, -1.0],
            [0.0, 0.0, 0.0, -b],
        ]
    )
    (one, x, z, e), (_, xx, xz, xe), (_, _, zz, ze), (*_, ee) = (t * (L @ M @ L.T) * t).tolist()
    Q = t * (t * t * sums.Q * t + 2.0 * ze - t * ee)
    exchanged = Sums(one, x, z, e, xx, xz, xe, zz, ze, ee, Q)
    return Moments(_exchanged(line), exchanged, moments.has_intercept)


def _solution(
    line: Line, sums: Moments, n_samples: int, n_iter: int, outcome: Outcome
) -> EIVSolution:
    params = np.array([line.centre_y + (line.intercept - line.slope * line.centre_x), line.slope])
    covariances = covariances_about(sums, sums.line.centre_x)
    if not sums.has_intercept:
        params = params[1:]
    return EIVSolution(params, covariances, sums.chi2, n_samples, n_iter, outcome)


def covariances_about(moments: Moments, centre: float) -> dict[str, FloatArray]:
    """Return the covariance under each definition, from the sums at the minimum.

    The intercept is the height of the line at x less than the centre of the sums by `centre`.
    """
    one, x, z, _, xx, xz, _, zz, _, _, Q = moments.sums
    p, pp = x + 2.0 * z, xx + 4.0 * (xz + zz) - Q
    fitted, square = x + z, xx + 2.0 * xz + zz
    if not moments.has_intercept:
        variances = (square, xx, pp, pp * pp / (square + Q - zz))
        return {name: np.array([[1.0 / v]]) for name, v in zip(DEFINITIONS, variances, strict=True)}
    hessian = _inverse(one, p, pp)
    propagated = _sandwich(hessian, (one, fitted, square + Q - zz))
    every = (_inverse(one, fitted, square), _inverse(one, x, xx), hessian, propagated)
    covariances = [_at_origin(covariance, centre) for covariance in every]
    return dict(zip(DEFINITIONS, covariances, strict=True))


Symmetric = tuple[float, float, float]
"""Entries 00, 01, 11 of a symmetric matrix; a few numbers are dearer as an array."""


def _inverse(one: float, mean: float, square: float) -> Symmetric:
    mean /= one
    variance = 1.0 / (square - mean * mean * one)
    return 1.0 / one + mean * mean * variance, -mean * variance, variance


def _sandwich(outer: Symmetric, inner: Symmetric) -> Symmetric:
    """Return ``outer @ inner @ outer``."""
    (a, b, c), (k, m, n) = outer, inner
    first, second, third, fourth = a * k + b * m, a * m + b * n, b * k + c * m, b * m + c * n
    return first * a + second * b, first * b + second * c, third * b + fourth * c


def _at_origin(covariance: Symmetric, centre: float) -> FloatArray:
    """Return the covariance of intercept and slope, from that of the height at the centre."""
    height, off, slope = covariance
    moved = off - centre * slope
    return np.array([[height - centre * (off + moved), moved], [moved, slope]])
