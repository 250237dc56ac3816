"""York's line through plain arrays: what `OrthogonalRegression` does without conversions.

For a thousand points the arithmetic takes less time than to find out what the arguments are. Plain
float64 arrays are therefore recognised first; anything else, and whatever is not an ordinary line
with errors, takes the way that names what is wrong.
"""

from __future__ import annotations

from math import fsum, isfinite, sqrt
from typing import Any, NamedTuple

import numpy as np

from sklsq._typing import FloatArray
from sklsq.estimators._base import is_plain
from sklsq.solvers.errors_in_variables import Points
from sklsq.solvers.extended import two_product
from sklsq.solvers.solution import Solution
from sklsq.solvers.york_descent import Descent

__all__ = ["CentredLine", "plain_points"]

_PARAMETERS = 2
_LEAST_SIGMA = 1e-150  # its square is within the range of doubles
_LEAST = 1e-300  # its reciprocal is


def plain_points(X: Any, y: Any, sigma: Any, sigma_x: Any, corr_xy: Any) -> Points | None:
    """Return the points of plain arrays whose errors are not negative; None for any others.

    Whether numbers are finite is left to the solver.
    """
    arrays = is_plain(X, 2) and X.shape[1] == 1 and is_plain(y, 1) and is_plain(sigma, 1)
    if not (arrays and len(X) == len(y) == len(sigma) > _PARAMETERS):
        return None
    if is_plain(sigma_x, 2) and sigma_x.shape == X.shape:
        sigma_x = sigma_x[:, 0]
    elif not (is_plain(sigma_x, 1) and sigma_x.shape == y.shape):
        return None
    if not (np.minimum.reduce(sigma) >= _LEAST_SIGMA and np.minimum.reduce(sigma_x) >= 0.0):
        return None
    if corr_xy is not None:
        if not (is_plain(corr_xy, 1) and corr_xy.shape == y.shape):
            return None
        largest = np.maximum.reduce(np.abs(corr_xy))
        if not largest < 1.0:
            return None
        corr_xy = corr_xy if largest > 0.0 else None
    return Points(X[:, 0], y, sigma_x, sigma, corr_xy)


class CentredLine(NamedTuple):
    """A line by its height at a centre, its slope, and their errors as York 2004 defines them.

    Parameters
    ----------
    centre, height, slope, intercept : float
        Abscissa, ordinate there, slope, and ordinate at zero.
    std_height, lever, std_slope : float
        Standard deviations of slope, and of the height at `lever` from the centre, where the two
        are uncorrelated.
    chi2 : float
        Sum of squares.
    n_samples : int
        Number of points.
    """

    centre: float
    height: float
    slope: float
    intercept: float
    std_height: float
    lever: float
    std_slope: float
    chi2: float
    n_samples: int

    @classmethod
    def of(cls, descent: Descent, n_samples: int) -> CentredLine | None:
        """Return the line that was found; None if its errors are out of the range of doubles."""
        (slope, rest, centre_x, centre_y), at = descent.line, descent.sums
        one, x, z, e, xx, xz, _, zz, _, ee, _ = at.sums
        centre = at.line.centre_x
        shift = slope * (centre - centre_x)
        product, error = two_product(slope, centre_x)
        lever = (x + z) / one
        precision = xx + 2.0 * xz + zz - lever * lever * one
        chi2 = max(ee - e / one * e, 0.0)
        if not (_LEAST < precision and _LEAST < one and isfinite(precision + one + chi2)):
            return None
        return cls(
            centre,
            centre_y + (rest + shift),
            slope,
            fsum((centre_y, rest, -product, -error)),
            1.0 / sqrt(one),
            lever,
            1.0 / sqrt(precision),
            chi2,
            n_samples,
        )

    def params_covariance(self) -> FloatArray:
        """Return the covariance of intercept and slope."""
        lever, variance = self.lever + self.centre, self.std_slope * self.std_slope
        mixed = -lever * variance
        return np.array(
            ((self.std_height * self.std_height - lever * mixed, mixed), (mixed, variance))
        )

    def solution(self) -> Solution:
        """Return the line in the form of all affine estimators."""
        lever, std = self.lever, self.std_slope
        return Solution(
            np.array(((self.height,), (self.slope,))),
            np.array(((self.std_height, -lever * std), (0.0, std))),
            np.array(((self.intercept,), (self.slope,))),
            np.array(((self.std_height, -(lever + self.centre) * std), (0.0, std))),
            np.array((self.chi2,)),
            self.n_samples,
            2,
            offsets=np.array((0.0, self.centre)),
        )
