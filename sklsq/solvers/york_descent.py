r"""Newton's method on the chi-square of a line with errors in both coordinates.

The derivation is in `sklsq.solvers.york`. One pass over the points, block by block, yields the
moments :math:`M = \sum W B B^\mathsf{T}` of :math:`B = (1, x, z, e)` and :math:`Q = \sum \sigma_x^2
W^2 e^2`, from which step, curvature and errors follow. Coordinates are measured from a centre close
to the weighted centroid, so that the sums lose no digits to an offset of the data, and the
intercept there is close to zero.

:math:`\chi^2` is exactly quadratic in the intercept, which is therefore eliminated: the safeguards
work on the slope alone, with the gradient and the curvature of the profile :math:`\min_a \chi^2(a,
b)`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from sklsq._typing import FloatArray
from sklsq.solvers.errors_in_variables import BLOCK, Outcome, Points

__all__ = ["Bracket", "Descent", "Line", "Moments", "Task", "descend", "moments"]

_ROUNDING = 1e-7  # steps below this share of the slope that no longer shrink are rounding
_FLAT = 1e-10  # curvature below this share of its largest possible value is none
_SETTLED = 0.9  # share of chi-square that must not be due to the intercept

ONE, X, Z, E = range(4)  # rows of B


@dataclass(frozen=True, slots=True)
class Line:
    """The line ``y - centre_y = intercept + slope (x - centre_x)``."""

    slope: float
    intercept: float
    centre_x: float
    centre_y: float


@dataclass(frozen=True)
class Moments:
    """The sums over the points at a line.

    Parameters
    ----------
    line : Line
        Where they were taken.
    M : ndarray of shape (4, 4)
        Weighted moments of (1, x, z, e), x and e from the centre of the line.
    Q : float
        Sum of ``(sigma_x * W * e)**2``.
    has_intercept : bool
        False for lines through the origin.
    """

    line: Line
    M: FloatArray
    Q: float
    has_intercept: bool

    @property
    def chi2(self) -> float:
        """Sum of squares, minimised over the intercept."""
        return self.profile().chi2

    def profile(self) -> Profile:
        """Return what the sums say of chi-square as a function of the slope alone."""
        (one, x, z, e), (_, xx, xz, xe), (_, _, zz, ze), (*_, ee) = self.M.tolist()
        downhill, curvature = xe + ze, xx + 4.0 * (xz + zz) - self.Q
        if not self.has_intercept:
            return Profile(downhill, curvature, ee, ee, xx, one, 0.0, 0.0, 0.0)
        p = x + 2.0 * z
        return Profile(
            downhill - p / one * e,
            curvature - p / one * p,
            max(ee - e / one * e, 0.0),
            ee,
            xx - x / one * x,
            one,
            e / one,
            p / one,
            x / one,
        )


@dataclass(frozen=True, slots=True)
class Profile:
    """Chi-square as a function of the slope alone, to second order, the intercept at its best.

    Parameters
    ----------
    downhill, curvature : float
        Minus half the first and half the second derivative by the slope.
    chi2, chi2_before : float
        Sum of squares at the best intercept, and at that of the line.
    spread : float
        Weighted scatter of x, the curvature of points without errors of x.
    weight : float
        Sum of the weights.
    rise, lever : float
        Best step of the intercept, less `lever` times the step of the slope.
    centroid : float
        Mean of x, from the centre.
    """

    downhill: float
    curvature: float
    chi2: float
    chi2_before: float
    spread: float
    weight: float
    rise: float
    lever: float
    centroid: float

    @property
    def is_settled(self) -> bool:
        """Whether the intercept was close enough to its best for the rest to be trusted."""
        return self.chi2 >= _SETTLED * self.chi2_before

    @property
    def is_central(self) -> bool:
        """Whether the centre is close enough to the centroid for the sums to keep their digits."""
        return self.weight * self.centroid**2 <= self.spread

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


@dataclass(frozen=True)
class Descent:
    """Where Newton's method ended."""

    line: Line
    sums: Moments
    n_iter: int
    outcome: Outcome


class Workspace:
    """Arrays for the sums over one block; what does not change with the line is kept in them.

    Parameters
    ----------
    points : Points
        The points whose blocks are summed.
    """

    def __init__(self, points: Points) -> None:
        rows = min(points.n_samples, BLOCK)
        self.is_single = points.n_samples <= BLOCK
        self._space = np.empty((11, rows))
        self._space[ONE] = 1.0
        self._centre: tuple[float, float] | None = None
        self._take(rows)

    def _take(self, rows: int) -> None:
        space = self._space[:, :rows]
        self.B, self.WB = space[:4], space[4:8]
        self.one, self.x, self.z, self.e = self.B
        self.W, self._scratch, _, self.We = self.WB
        self._y, self._rest, self._tilt = space[8:]

    def load(self, block: Points, line: Line) -> None:
        """Fill in a block, unless it is the only one and still there."""
        if self.is_single and self._centre == (line.centre_x, line.centre_y):
            return
        self._centre = (line.centre_x, line.centre_y)
        if block.n_samples != self.x.shape[0]:
            self._take(block.n_samples)
        np.subtract(block.x, line.centre_x, out=self.x)
        np.subtract(block.y, line.centre_y, out=self._y)
        np.multiply(block.sigma_y, block.sigma_y, out=self._rest)
        if block.corr_xy is not None:
            np.multiply(block.corr_xy, block.sigma_y, out=self._tilt)
            self._rest *= (1.0 - block.corr_xy) * (1.0 + block.corr_xy)

    def weigh(self, block: Points, slope: float) -> None:
        """Compute weights W, halves z of the derivatives of the variances, and residuals e.

        ``V = (b sigma_x - rho sigma_y)**2 + (1 - rho**2) sigma_y**2`` without cancellation.
        """
        np.multiply(block.sigma_x, slope, out=self.z)
        if block.corr_xy is not None:
            self.z -= self._tilt
        np.multiply(self.z, self.z, out=self.W)
        self.W += self._rest
        np.divide(1.0, self.W, out=self.W)
        self.z *= block.sigma_x
        np.multiply(self.x, slope, out=self.e)
        np.subtract(self._y, self.e, out=self.e)


def moments(
    points: Points, line: Line, has_intercept: bool, work: Workspace | None = None
) -> Moments:
    """Return the sums over the points at a line, in one pass."""
    work = work or Workspace(points)
    M, Q = np.zeros((4, 4)), 0.0
    for block in points.blocks():
        work.load(block, line)
        work.weigh(block, line.slope)
        if work.is_single and has_intercept:  # of one block the best intercept is known at once
            height = float(work.W @ work.e) / float(work.W @ work.one)
            line = Line(line.slope, height, line.centre_x, line.centre_y)
        if line.intercept:
            work.e -= line.intercept
        np.multiply(work.W, work.e, out=work.We)
        work.z *= work.We
        np.multiply(work.B[X:E], work.W, out=work.WB[X:E])
        M += work.B @ work.WB.T
        work.We *= block.sigma_x
        Q += float(work.We @ work.We)
    return Moments(line, M, Q, has_intercept)


@dataclass(frozen=True)
class Task:
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
        sums = moments(points, line, task.has_intercept, work)
        line, profile = sums.line, sums.profile()
        if not math.isfinite(profile.downhill + profile.curvature):
            return Descent(line, sums, n_iter, Outcome.NOT_FINITE)
        if not profile.is_settled:
            line = profile.moved(line, 0.0)
            continue
        if profile.is_flat:
            return Descent(line, sums, n_iter, Outcome.UNDETERMINED)
        step, convex = profile.downhill / profile.curvature, profile.curvature > 0.0
        size, largest = abs(step), max(abs(line.slope), scale)
        rounding = size <= _ROUNDING * largest and size >= 0.5 * previous
        if convex and (size <= task.tol * largest or rounding):
            return Descent(profile.moved(line, step), sums, n_iter, Outcome.CONVERGED)
        if profile.chi2 <= limits.chi2:
            limits = limits.improved(line.slope, profile.chi2, profile.downhill)
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
    return Descent(line, sums, n_iter, Outcome.MAX_ITERATIONS)
