r"""Newton's method on the chi-square of a line with errors in both coordinates.

The derivation is in `sklsq.solvers.york`. One pass over the points, block by block, yields the sums
of `sklsq.solvers.york_sums`, from which step, curvature and errors follow. Coordinates are measured
from a centre close to the weighted centroid, so that the sums lose no digits to an offset of the
data, and the intercept there is close to zero.

:math:`\chi^2` is exactly quadratic in the intercept, which is therefore eliminated: the safeguards
work on the slope alone, with the gradient and the curvature of the profile :math:`f(b) = \min_a
\chi^2(a, b)`.

The step. If the errors of all points were alike, a step t of the slope would multiply every V by
the same :math:`D(t) = 1 + 2ut + vt^2`, and :math:`f(b + t) = N(t)/D(t)` with a square polynomial N.
In general :math:`u = \sum zWe/\chi^2` and :math:`v = Q/\chi^2` are means over the points. Value,
gradient and curvature fix N; the minimum of N/D is a root of

.. math:: (N_2 - vN_0)\,t + (uN_2 - vN_1)\,t^2 = -\tfrac12 f', \qquad
          N(t) = N_0 + 2N_1t + N_2t^2,

a step that is Newton's to first order, exact for errors that are alike, and saves a pass or two
where they are not. Gradient and curvature are those at the best intercept, to first order in its
distance r from that of the line; to second order the gradient changes by :math:`r^2\sum qW^2`, of
which :math:`u\,r^2\sum W` is an estimate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from sklsq.solvers.errors_in_variables import BLOCK, Outcome, Points
from sklsq.solvers.york_sums import (
    Arrays,
    Sums,
    fill,
    height,
    products,
    residuals,
    sums,
    work_arrays,
)

__all__ = [
    "Bracket",
    "Descent",
    "Line",
    "Moments",
    "Profile",
    "Task",
    "descend",
    "equal_errors_slope",
    "is_rounding",
    "moments",
]

_ROUNDING = 1e-7  # steps below this share of the slope that no longer shrink are rounding
_FLAT = 1e-10  # curvature below this share of its largest possible value is none
_SETTLED = 0.9  # share of chi-square that must not be due to the intercept


def equal_errors_slope(xx: float, xy: float, yy: float, var_x: float, var_y: float) -> float:
    """Return the slope for errors that are the same for every point."""
    difference = var_x * yy - var_y * xx
    root = math.hypot(difference, 2.0 * xy * math.sqrt(var_x * var_y))
    if difference > 0.0:
        return (difference + root) / (2.0 * var_x * xy) if var_x * xy else math.inf
    return 2.0 * var_y * xy / (root - difference) if root > difference else math.inf


def is_rounding(size: float, largest: float, previous: float) -> bool:
    """Whether steps that do not shrink any more are but rounding errors of the slope."""
    return size <= _ROUNDING * largest and size >= 0.5 * previous


class Line(NamedTuple):
    """The line ``y - centre_y = intercept + slope (x - centre_x)``."""

    slope: float
    intercept: float
    centre_x: float
    centre_y: float


class Moments(NamedTuple):
    """The sums over the points at a line.

    Parameters
    ----------
    line : Line
        Where they were taken; x and e count from its centre.
    sums : Sums
        The moments.
    has_intercept : bool
        False for lines through the origin.
    """

    line: Line
    sums: Sums
    has_intercept: bool

    @property
    def chi2(self) -> float:
        """Sum of squares, minimised over the intercept."""
        return self.profile().chi2

    def profile(self) -> Profile:
        """Return what the sums say of chi-square as a function of the slope alone."""
        one, x, z, e, xx, xz, xe, zz, ze, ee, Q = self.sums
        downhill, curvature = xe + ze, xx + 4.0 * (xz + zz) - Q
        if not self.has_intercept:
            return Profile(downhill, curvature, ee, ee, xx, xe, one, 0.0, 0.0, 0.0, ze, Q)
        p = x + 2.0 * z
        return Profile(
            downhill - p / one * e,
            curvature - p / one * p,
            max(ee - e / one * e, 0.0),
            ee,
            xx - x / one * x,
            xe - x / one * e,
            one,
            e / one,
            p / one,
            x / one,
            ze,
            Q,
        )


class Profile(NamedTuple):
    """Chi-square as a function of the slope alone, to second order, the intercept at its best.

    Parameters
    ----------
    downhill, curvature : float
        Minus half the first and half the second derivative by the slope.
    chi2, chi2_before : float
        Sum of squares at the best intercept, and at that of the line.
    spread, cross : float
        Weighted sums of ``(x - mean)**2``, the curvature of points without errors of x, and of
        ``(x - mean) * e``.
    weight : float
        Sum of the weights.
    rise, lever : float
        Best step of the intercept, less `lever` times the step of the slope.
    centroid : float
        Mean of x, from the centre.
    widening, Q : float
        Sums of ``z W e`` and of ``(sigma_x * W * e)**2``: relative to chi-square, by how much the
        slope widens the variances.
    """

    downhill: float
    curvature: float
    chi2: float
    chi2_before: float
    spread: float
    cross: float
    weight: float
    rise: float
    lever: float
    centroid: float
    widening: float
    Q: float

    def step(self) -> float:
        """Return the step of the slope; Newton's where the curvature is not that of a minimum."""
        if not (self.curvature > 0.0 and self.chi2_before > 0.0):
            return self.downhill / self.curvature
        u, v = self.widening / self.chi2_before, self.Q / self.chi2_before
        downhill = self.downhill + self.raised
        first = u * self.chi2 - downhill  # N = chi2 + 2 first t + second t**2
        second = self.curvature + 4.0 * u * first - (4.0 * u * u - v) * self.chi2
        linear = second - v * self.chi2
        square = linear * linear + 4.0 * downhill * (u * second - v * first)
        if not (linear > 0.0 and square > 0.0):
            return self.downhill / self.curvature
        return 2.0 * downhill / (linear + math.sqrt(square))

    @property
    def raised(self) -> float:
        """What the best intercept adds to `downhill` to second order."""
        if not self.chi2_before > 0.0:
            return 0.0
        return self.widening / self.chi2_before * (self.chi2_before - self.chi2)

    @property
    def knows_side(self) -> bool:
        """Whether the gradient tells for certain on which side the minimum lies."""
        return 2.0 * abs(self.raised) <= abs(self.downhill)

    @property
    def is_settled(self) -> bool:
        """Whether the intercept was close enough to its best for the rest to be trusted."""
        return self.chi2 >= _SETTLED * self.chi2_before

    @property
    def is_central(self) -> bool:
        """Whether the centre is close enough to the centroid for the sums to keep their digits."""
        return self.weight * self.centroid * self.centroid <= self.spread

    @property
    def is_flat(self) -> bool:
        """Whether all slopes fit equally well."""
        return abs(self.curvature) <= _FLAT * abs(self.spread)

    def moved(self, line: Line, step: float) -> Line:
        """Return the line after a step of the slope and the best step of the intercept for it."""
        slope = line.slope + step
        height = line.intercept + self.rise - self.lever * step
        if self.is_central:
            return Line(slope, height, line.centre_x, line.centre_y)
        centre_x = line.centre_x + self.centroid
        height += slope * (centre_x - line.centre_x)
        centre_y = line.centre_y + height
        return Line(slope, height - (centre_y - line.centre_y), centre_x, centre_y)


@dataclass(frozen=True, slots=True)
class Bracket:
    """Slopes that enclose a minimum: chi-square at `best` is below that at both ends.

    Parameters
    ----------
    lower, best, upper : float
        Slopes.
    chi2 : float
        Chi-square at `best`, or slightly more.
    """

    lower: float
    best: float
    upper: float
    chi2: float

    def contains(self, slope: float) -> bool:
        """Whether `slope` lies inside."""
        return self.lower < slope < self.upper

    def without(self, slope: float) -> Bracket:
        """Return the part of the interval left by a slope that is worse than the best."""
        if slope < self.best:
            return replace(self, lower=slope)
        return replace(self, upper=slope)

    def improved(self, slope: float, chi2: float, downhill: float) -> Bracket:
        """Return the part of the interval to which the gradient at a better slope points."""
        if downhill > 0.0:
            return Bracket(slope, slope, self.upper, chi2)
        return Bracket(self.lower, slope, slope, chi2)

    def scaled(self, factor: float) -> Bracket:
        """Return the interval with slopes in other units."""
        lower, best, upper = (factor * slope for slope in (self.lower, self.best, self.upper))
        return Bracket(lower, best, upper, self.chi2)

    @property
    def middle(self) -> float:
        """The middle of the interval."""
        return 0.5 * (self.lower + self.upper)


class Descent(NamedTuple):
    """Where Newton's method ended."""

    line: Line
    sums: Moments
    n_iter: int
    outcome: Outcome


class Workspace:
    """Arrays for the blocks of points; a single block is filled in but once.

    Parameters
    ----------
    points : Points
        The points to be summed.
    """

    def __init__(self, points: Points) -> None:
        self.points, self.is_single = points, points.n_samples <= BLOCK
        self._arrays = work_arrays(min(points.n_samples, BLOCK))
        self._centre: tuple[float, float] | None = None

    def blocks(self, line: Line) -> Iterator[tuple[Arrays, Points]]:
        """Yield every block with its arrays, filled in for the centre of a line."""
        centre = line.centre_x, line.centre_y
        if not self.is_single or centre != self._centre:
            self._centre = centre
            for block in self.points.blocks(BLOCK):
                rows = block.n_samples
                whole = rows == self._arrays.x.shape[0]
                arrays = self._arrays if whole else work_arrays(rows)
                fill(arrays, block, *centre)
                yield arrays, block
        else:
            yield self._arrays, self.points


def moments(points: Points, line: Line, has_intercept: bool) -> Moments:
    """Return the sums over the points at a line, in one pass."""
    return _moments(Workspace(points), line, has_intercept)


def _moments(work: Workspace, line: Line, has_intercept: bool) -> Moments:
    if not work.is_single:  # a height that is zero need not be subtracted
        line = Line(line.slope, 0.0, line.centre_x, line.centre_y + line.intercept)
    matrix, Q = np.zeros((3, 5)), 0.0
    for arrays, block in work.blocks(line):
        residuals(arrays, block, line.slope)
        if work.is_single and has_intercept:  # of one block the best intercept is known at once
            line = line._replace(intercept=height(arrays))
        of_block, Q_of_block = products(arrays, block, line.intercept)
        matrix += of_block
        Q += Q_of_block
    return Moments(line, sums(matrix, Q, work.points, line.slope), has_intercept)


class Task(NamedTuple):
    """What is asked of an iteration; see `sklsq.solvers.york.york_line`."""

    has_intercept: bool
    tol: float
    max_iter: int


def descend(
    points: Points,
    line: Line,
    bracket: Bracket | None,
    *,
    scale: float,
    task: Task,
) -> Descent:
    """Return the minimum of chi-square next to `line`.

    Parameters
    ----------
    points : Points
        The measured points.
    line : Line
        Where to begin.
    bracket : Bracket or None
        Slopes known to enclose a minimum, within which bisection replaces a step that would leave
        them or go uphill. Without one, such a step ends the iteration.
    scale : float
        Size of a typical slope of these points: a change of the slope below ``tol * scale`` ends
        the iteration.
    task : Task
        Model, tolerance, and limit of the iteration.
    """
    work = Workspace(points)
    limits = bracket or Bracket(-8.0 * scale, line.slope, 8.0 * scale, math.inf)
    previous = math.inf
    for n_iter in range(1, task.max_iter + 1):
        at = _moments(work, line, task.has_intercept)
        line, profile = at.line, at.profile()
        if not math.isfinite(profile.downhill + profile.curvature):
            return Descent(line, at, n_iter, Outcome.NOT_FINITE)
        if not profile.is_settled:
            line = profile.moved(line, 0.0)
            continue
        if profile.is_flat:
            return Descent(line, at, n_iter, Outcome.UNDETERMINED)
        step, convex = profile.step(), profile.curvature > 0.0
        size, largest = abs(step), max(abs(line.slope), scale)
        if convex and (size <= task.tol * largest or is_rounding(size, largest, previous)):
            return Descent(profile.moved(line, step), at, n_iter, Outcome.CONVERGED)
        if profile.chi2 <= limits.chi2:
            if profile.knows_side:
                limits = limits.improved(line.slope, profile.chi2, profile.downhill)
            else:
                limits = replace(limits, best=line.slope, chi2=profile.chi2)
            target = line.slope + step if convex else math.nan
        else:
            unknown = limits.lower < limits.best < limits.upper  # its gradient was never taken
            target = limits.best if unknown else math.nan
            limits = limits.without(line.slope)
        if not limits.contains(target):
            if bracket is None:
                break
            target = limits.middle
        previous = size if convex else math.inf
        line = profile.moved(line, target - line.slope)
    return Descent(line, at, n_iter, Outcome.MAX_ITERATIONS)
