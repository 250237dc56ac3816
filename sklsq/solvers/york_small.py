r"""York's line through so few points that the calls would cost more than the arithmetic.

The iteration is that of `sklsq.solvers.york_descent` without what many points, several minima or
hostile data ask for: of up to some thousand points, half of the time would go into calling
functions and filling objects. The first slope is Deming's, for the mean variances. There is
no search of all directions, and none is needed: what is returned has passed the proof of
`sklsq.solvers.york_certificate` that it is the lowest minimum. Points that are not quite ordinary
(too many, too scattered, too steep, of extreme or infinite numbers) have no answer here and take
the long way.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from sklsq.solvers.errors_in_variables import Outcome, Points
from sklsq.solvers.york_certificate import is_only_minimum
from sklsq.solvers.york_descent import (
    Descent,
    Line,
    Moments,
    Profile,
    Task,
    equal_errors_slope,
    is_rounding,
)
from sklsq.solvers.york_sums import Arrays, fill, height, products, residuals, sums, work_arrays

__all__ = ["MOST_POINTS", "small_descent"]

MOST_POINTS = 10_000
"""Points up to which BLAS starts no threads and nothing is gained by blocks."""

_PASSES = 12  # far more than ordinary points need
_STEP = 1e-15  # relative change of the slope at which the sums are those at the minimum
_STEEP = 8.0  # spreads of y per spread of x beyond which x and y are better exchanged
_CONSTANT = 1e-14  # spread, relative to the centre, that may be rounding
_LEAST, _MOST = 1e-90, 1e90  # sums of squares whose products stay within the range of doubles


class _Start(NamedTuple):
    """A line through the centre, and a typical slope."""

    slope: float
    scale: float
    centre_x: float
    centre_y: float


def small_descent(points: Points, task: Task) -> Descent | None:
    """Return the lowest minimum of chi-square; None where this is not the place to look for it.

    Parameters
    ----------
    points : Points
        The measured points. Coordinates that are not finite have no answer.
    task : Task
        Model, and limit of the iteration. A pass costs so little that the tolerance is always the
        smallest.
    """
    if points.n_samples > MOST_POINTS:
        return None
    arrays = work_arrays(points.n_samples)
    start = _start(points, arrays, task.has_intercept)
    return None if start is None else _descend(points, arrays, start, task)


def _start(points: Points, arrays: Arrays, has_intercept: bool) -> _Start | None:
    """Fill in what does not change with the line; return the first, if numbers are ordinary."""
    n_samples, sigma_x, sigma_y = points.n_samples, points.sigma_x, points.sigma_y
    centre_x = centre_y = 0.0
    if has_intercept:
        centre_x = float(arrays.one.dot(points.x)) / n_samples
        centre_y = float(arrays.one.dot(points.y)) / n_samples
    fill(arrays, points, centre_x, centre_y)
    x, y = arrays.x, arrays.y
    xx, xy, yy = float(x.dot(x)), float(x.dot(y)), float(y.dot(y))
    var_x, var_y = float(sigma_x.dot(sigma_x)), float(sigma_y.dot(sigma_y))
    rounding = n_samples * _CONSTANT**2
    varies = xx > rounding * centre_x * centre_x and yy > rounding * centre_y * centre_y
    if varies and _LEAST < xx < _MOST and _LEAST < yy < _MOST and var_x < _MOST and var_y < _MOST:
        slope = equal_errors_slope(xx, xy, yy, var_x, var_y)
        return _Start(slope, math.sqrt(yy / xx), centre_x, centre_y)
    return None


def _descend(points: Points, arrays: Arrays, start: _Start, task: Task) -> Descent | None:
    """Return the minimum next to the first line, if it is certain that there is none lower."""
    slope, scale, centre_x, centre_y = start
    previous = math.inf
    for n_iter in range(1, min(task.max_iter, _PASSES) + 1):
        if not abs(slope) <= _STEEP * scale:
            return None
        residuals(arrays, points, slope)
        intercept = height(arrays) if task.has_intercept else 0.0
        line = Line(slope, intercept, centre_x, centre_y)
        matrix, Q = products(arrays, points, intercept)
        at = Moments(line, sums(matrix, Q, points, slope), task.has_intercept)
        profile = at.profile()
        if not (profile.curvature > 0.0 and profile.is_central):
            return None
        step = profile.step()
        size, largest = abs(step), max(abs(slope), scale)
        if size <= _STEP * largest or is_rounding(size, largest, previous):
            found = Descent(profile.moved(line, step), at, n_iter, Outcome.CONVERGED)
            return found if _is_lowest(points, arrays, slope, profile) else None
        previous = size
        slope += step
    return None


def _is_lowest(points: Points, arrays: Arrays, slope: float, at: Profile) -> bool:
    """Whether there is certainly no other minimum; tried with a bound on the ratio at first."""
    if points.corr_xy is None and slope:
        if is_only_minimum(at.chi2, at.spread, at.cross, 1.0 / (slope * slope)):
            return True
    ratio = arrays.We
    np.multiply(points.sigma_x, points.sigma_x, ratio)
    np.multiply(arrays.W, ratio, ratio)
    return is_only_minimum(at.chi2, at.spread, at.cross, float(np.maximum.reduce(ratio)))
