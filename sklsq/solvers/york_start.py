r"""The lowest minimum of the chi-square of a line with errors in both coordinates.

:math:`\chi^2` as a function of the direction of the line is periodic and can have several minima.
For a direction :math:`(c, s)`, of any length,

.. math:: \chi^2(c, s) = \min_d \sum \frac{(c\,y_i - s\,x_i - d)^2}
          {c^2\sigma_{y,i}^2 + s^2\sigma_{x,i}^2 - 2cs\kappa_i},

which a few weighted sums give at 32 directions at once. Coordinates are divided by their spread;
directions are closer to each other near the axes, where points with errors of one coordinate only
make the function sharp. Each valley is then descended by Newton's method, steep lines with x and y
exchanged.

Of many points a sample is searched. The answer for all points is accepted if the sample has one
valley only and does not contradict it; otherwise all points are searched.

The search is left out where `sklsq.solvers.york_small` has an answer that is certain to be the
lowest minimum.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sklsq._typing import FloatArray
from sklsq.solvers.blas import single_blas_thread
from sklsq.solvers.errors_in_variables import Outcome, Points
from sklsq.solvers.york_descent import Bracket, Descent, Line, Task, descend, equal_errors_slope
from sklsq.solvers.york_small import small_descent

__all__ = ["Frame", "Minimum", "clear_minimum", "lowest_minimum", "typical"]

SAMPLE = 4096
_SEARCH_ALL = 2 * SAMPLE  # points up to which a sample would not save enough
_SEARCH_BLOCK = 1024
_STAGE = 16384  # a second sample, whose answer saves a pass over very many points
_UNTHREADED = 8192  # elements of a product below which BLAS starts no threads
_ROUNDING = 1e-10
_FAR = 8.0  # standard deviations
_ROUGH = 1e-3

_TANGENTS = 2.0 ** -np.arange(8.0)
_FLAT_LINES = np.concatenate([-_TANGENTS, [0.0], _TANGENTS[::-1]])  # -1 ... 1
_STEEP_LINES = _FLAT_LINES[-2:0:-1]
_COS = np.concatenate([np.ones(17), _STEEP_LINES])
_SIN = np.concatenate([_FLAT_LINES, np.ones(15)])
_N = _COS.size
_SQUARES = np.array([_SIN**2, _COS**2]).T
_PRODUCT = (2.0 * _COS * _SIN)[:, None]


def _neighbours(j: int) -> tuple[float, float, float]:
    """Return the slopes of a direction and of those on both sides, x on y for steep ones."""
    around = np.array([j - 1, j, j + 1]) % _N
    c, s = _COS[around], _SIN[around]
    lower, slope, upper = sorted((c / s if j >= _FLAT_LINES.size else s / c).tolist())
    return lower, slope, upper


_NEIGHBOURS = [_neighbours(j) for j in range(_N)]


class Frame(NamedTuple):
    """Centre and spread of the points, by which they are made comparable."""

    centre_x: float
    centre_y: float
    spread_x: float
    spread_y: float

    def scale(self, exchanged: bool) -> float:
        """Size of a typical slope."""
        slope = self.spread_y / self.spread_x
        return 1.0 / slope if exchanged else slope

    def line(self, slope: float, exchanged: bool) -> Line:
        """Return the line through the centre, its slope given in units of the spreads."""
        slope *= self.scale(exchanged)
        if exchanged:
            return Line(slope, 0.0, self.centre_y, self.centre_x)
        return Line(slope, 0.0, self.centre_x, self.centre_y)


class Minimum(NamedTuple):
    """A minimum of chi-square, of x on y when `exchanged`."""

    descent: Descent
    exchanged: bool


@dataclass(frozen=True)
class Valley:
    """A direction that fits better than its neighbours on both sides, in units of the spreads.

    Parameters
    ----------
    exchanged : bool
        Whether slopes are those of x on y.
    slope : float
        The slope that errors without individuality would give; inside the bracket.
    bracket : Bracket
        The slopes of the neighbours.
    error : float
        Standard deviation of the slope, roughly.
    """

    exchanged: bool
    slope: float
    bracket: Bracket
    error: float

    def agrees(self, slope: float) -> bool:
        """Whether an answer does not contradict this one."""
        return self.bracket.contains(slope) or abs(slope - self.slope) <= _FAR * self.error


def typical(points: Points, has_intercept: bool) -> Frame:
    """Return centre and spread of the points; those with large errors count less."""
    centre_x, spread_x = _spread(points.x, points.sigma_x, has_intercept)
    centre_y, spread_y = _spread(points.y, points.sigma_y, has_intercept)
    return Frame(centre_x, centre_y, spread_x, spread_y)


def _spread(values: FloatArray, sigma: FloatArray, has_centre: bool) -> tuple[float, float]:
    origin = float(values[0]) if has_centre else 0.0
    from_origin = values - origin  # first, so that an offset costs no digits
    mean = float(from_origin.sum()) / values.shape[0] if has_centre else 0.0
    square = float(from_origin @ from_origin) / values.shape[0] - mean * mean
    spread = math.sqrt(max(square, 0.0))
    if 0.0 < spread < float(sigma.max()):
        relative = sigma / spread
        weight = 1.0 / (1.0 + np.square(relative / max(1.0, float(relative.min()))))
        total = float(weight.sum())
        mean = float(weight @ from_origin) / total if has_centre else 0.0
        spread = math.sqrt(float(weight @ np.square(from_origin - mean)) / total)
    return origin + mean, spread


def clear_minimum(points: Points, task: Task) -> tuple[Minimum, Frame] | None:
    """Return the minimum of not too many points if it is certain that there is no other."""
    descent = small_descent(points, task)
    if descent is None:
        return None
    return Minimum(descent, False), typical(points, task.has_intercept)


def lowest_minimum(points: Points, sample: Points, frame: Frame, task: Task) -> Minimum:
    """Return the lowest minimum of chi-square over all slopes.

    Parameters
    ----------
    points, sample : Points
        All points, and `SAMPLE` of them.
    frame : Frame
        Their centre and spread.
    task : Task
        Model, tolerance, and limit of the iteration.
    """
    many = points.n_samples > _UNTHREADED
    with single_blas_thread() if many else nullcontext():
        if points.n_samples > _SEARCH_ALL:
            found = _by_sample(points, sample, frame, task)
            if found is not None:
                return found
        every = _descents(points, frame, task)
        return min(every, key=lambda minimum: minimum.descent.sums.chi2)


def _by_sample(points: Points, sample: Points, frame: Frame, task: Task) -> Minimum | None:
    """Return the minimum for all points near that of a sample; None where that is in doubt."""
    valley, *others = _valleys(sample, frame, task.has_intercept)
    if others:
        return None
    exchanged, scale = valley.exchanged, frame.scale(valley.exchanged)
    points = points.exchanged() if exchanged else points
    line = frame.line(valley.slope, exchanged)
    if points.n_samples >= 8 * _STAGE:
        stage = points.sample(_STAGE)
        line = descend(stage, line, None, scale=scale, task=task._replace(tol=_ROUGH)).line
    descent = descend(points, line, None, scale=scale, task=task)
    if descent.outcome is Outcome.CONVERGED and valley.agrees(descent.line.slope / scale):
        return Minimum(descent, exchanged)
    return None


def _descents(points: Points, frame: Frame, task: Task) -> Iterator[Minimum]:
    """Yield the minimum of every valley."""
    for valley in _valleys(points, frame, task.has_intercept):
        exchanged, scale = valley.exchanged, frame.scale(valley.exchanged)
        these = points.exchanged() if exchanged else points
        bracket = valley.bracket.scaled(scale)
        yield Minimum(
            descend(these, frame.line(valley.slope, exchanged), bracket, scale=scale, task=task),
            exchanged,
        )


def _valleys(points: Points, frame: Frame, has_intercept: bool) -> list[Valley]:
    """Return the directions that fit better than their neighbours."""
    sums = _sums(points, frame)
    chi2 = _chi2(sums, has_intercept)
    lowest = min(range(_N), key=chi2.__getitem__)
    return [
        _valley(j, sums[j].tolist(), chi2[j], points.n_samples, has_intercept)
        for j in range(_N)
        if j == lowest or (chi2[j - 1] >= chi2[j] < chi2[(j + 1) % _N])
    ]


def _valley(j: int, sums: list[float], chi2: float, n_samples: int, has_intercept: bool) -> Valley:
    exchanged = j >= _FLAT_LINES.size
    lower, slope, upper = _NEIGHBOURS[j]
    xx, xy, yy, x, y, var_x, var_y, one = sums
    if has_intercept and one > 0.0:
        xx, xy, yy = xx - x / one * x, xy - x / one * y, yy - y / one * y
    if exchanged:
        xx, yy, var_x, var_y = yy, xx, var_y, var_x
    bracket = Bracket(lower, slope, upper, chi2 + _ROUNDING * (xx + yy))
    start = equal_errors_slope(xx, xy, yy, var_x, var_y)
    start = start if bracket.contains(start) else slope
    error = math.sqrt(max(1.0, chi2 / n_samples) / xx) if xx > 0.0 else math.inf
    return Valley(exchanged, start, bracket, error)


def _chi2(sums: FloatArray, has_intercept: bool) -> list[float]:
    """Return chi-square at the searched directions; infinite where it has no value."""
    xx, xy, yy, x, y, *_, one = sums.T
    chi2 = _COS * (_COS * yy - 2.0 * _SIN * xy) + _SIN**2 * xx
    if has_intercept:
        chi2 -= (_COS * y - _SIN * x) ** 2 / one
    return [c if math.isfinite(c) else math.inf for c in chi2.tolist()]


def _sums(points: Points, frame: Frame) -> FloatArray:
    """Return the weighted sums (32, 8) of the points at every searched direction."""
    sums = np.zeros((_N, 8))
    for block in points.blocks(_SEARCH_BLOCK):
        terms = np.empty((8, block.n_samples))
        yy, x, y, var_x, var_y, one = terms[2:]
        np.multiply(block.x - frame.centre_x, 1.0 / frame.spread_x, out=x)
        np.multiply(block.y - frame.centre_y, 1.0 / frame.spread_y, out=y)
        np.multiply(terms[3:5], x, out=terms[:2])
        np.multiply(y, y, out=yy)
        np.square(block.sigma_x / frame.spread_x, out=var_x)
        np.square(block.sigma_y / frame.spread_y, out=var_y)
        one[:] = 1.0
        V = _SQUARES @ terms[5:7]
        if block.corr_xy is not None:
            V -= _PRODUCT * (block.corr_xy * np.sqrt(var_x * var_y))
        sums += np.divide(1.0, V, out=V) @ terms.T
    return sums
