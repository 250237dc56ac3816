r"""The weighted straight line in one pass.

With a guess :math:`y \approx \alpha_0 + \beta_0(x - c)` taken from some of the points, the sums
over all of them

.. math:: S = \sum u^2,\quad S_x = \sum u^2 d,\quad S_{xx} = \sum u^2 d^2,\quad
          S_e = \sum u^2 e,\quad S_{xe} = \sum u^2 d\,e,\quad S_{ee} = \sum u^2 e^2

of :math:`u = 1/\sigma`, :math:`d = x - c` and :math:`e = y - \alpha_0 - \beta_0 d` give, with
:math:`\bar d = S_x/S`, :math:`D = S_{xx} - S\bar d^2` and :math:`\beta_1 = (S_{xe} - \bar d
S_e)/D`,

.. math:: \beta = \beta_0 + \beta_1, \qquad y(\bar x) = \alpha_0 + \beta_0\bar d + S_e/S, \qquad
          \sigma_\beta^2 = 1/D, \qquad \sigma_{y(\bar x)}^2 = 1/S, \qquad
          \chi^2 = S_{ee} - S_e^2/S - \beta_1^2 D

at the centroid :math:`\bar x = c + \bar d`, where slope and level are uncorrelated: the textbook
line (Bevington & Robinson, *Data Reduction and Error Analysis*, 3rd ed., 6.3) with every sum formed
from differences: nothing cancels, whatever the offset of x or y, because the guess has taken up
what is large. Few points are summed twice, first for the guess, and once more with residuals in
double-double where the intercept is the small difference of large numbers; of many, a sample gives
the guess, and one pass over cache-sized blocks the sums.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import fsum, sqrt
from typing import Literal, NamedTuple

import numpy as np

from sklsq._typing import FloatArray
from sklsq.solvers.blas import single_blas_thread
from sklsq.solvers.extended import DoubleDouble, two_product, two_sum
from sklsq.solvers.solution import Solution
from sklsq.solvers.triangular import TriangularFactor

__all__ = ["fit_line"]

_BLOCK = 32768  # large enough to hide the overhead of calls, small enough for the cache
_SAMPLE = 1024
_EPS = float(np.finfo(np.float64).eps)
_SAFE = 1e100  # squares, and sums of their products, stay within range
_CANCELLED = 0.01  # share of the level at the centroid below which the intercept loses digits
_DEGENERATE = 10.0  # spread of x, in rounding errors of its offset, below which x is constant


class _Line(NamedTuple):
    """The line ``level + slope * (x - centre)``."""

    centre: float
    level: float
    slope: float
    intercept: float = 0.0


class _Moments(NamedTuple):
    """Sum of weights, weighted sum of squares of x about its mean, and of the residuals."""

    S: float
    D: float
    chi2: float
    offset: float  # of the mean of x from the centre of the line, a rounding error


def fit_line(
    x: FloatArray,
    y: FloatArray,
    errors: FloatArray | float,
    errors_are: Literal["sigma", "weight"],
) -> tuple[float, Solution] | None:
    """Return the weighted line about its centroid; None where it needs the general solver.

    That is the case if x is constant to rounding, or numbers are so extreme that squares leave the
    range of doubles, or are not finite.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        The points.
    errors : ndarray of shape (n,) or float
        σ of each y, or 1/σ².
    errors_are : {"sigma", "weight"}
        Which of the two.

    Returns
    -------
    centroid : float
        Weighted mean of x; the internal columns of the solution are 1 and ``x - centroid``.
    solution : Solution
        Intercept and slope.
    """
    n = x.shape[0]
    with np.errstate(all="ignore"):
        fit = _fit_few if n <= _SAMPLE else _fit_many
        found = fit(x, y, errors, errors_are)
    return None if found is None else (found[0].centre, _publish(*found, n))


def _fit_few(
    x: FloatArray,
    y: FloatArray,
    errors: FloatArray | float,
    errors_are: Literal["sigma", "weight"],
) -> tuple[_Line, _Moments] | None:
    """Return the line summed twice, and a third time where the intercept would lose digits."""
    n = x.shape[0]
    u = _root_weight(errors, errors_are)
    line = _Line(float(np.add.reduce(x)) / n, float(np.add.reduce(y)) / n, 0.0)
    first = _solve(_sums(x, y, u, line), line)
    if first is None:
        return None
    line = first[0]
    second = _solve(_sums(x, y, u, line), line)
    if second is None or abs(second[0].intercept) > _CANCELLED * abs(line.level):
        return second
    line = second[0]
    d = DoubleDouble(x) - line.centre
    e = DoubleDouble(y) - line.level - d * line.slope
    return _solve(_sums_of(d.hi, e.hi, u), line)


def _fit_many(
    x: FloatArray,
    y: FloatArray,
    errors: FloatArray | float,
    errors_are: Literal["sigma", "weight"],
) -> tuple[_Line, _Moments] | None:
    """Return the line summed once, in blocks, with a sample for the guess."""
    n = x.shape[0]
    index = np.random.default_rng(0).integers(0, n, _SAMPLE)
    some = errors if isinstance(errors, float) else errors[index]
    guess = _fit_few(x[index], y[index], some, errors_are)
    if guess is None:
        return None

    def blocks() -> Iterator[tuple[float, ...]]:
        for start in range(0, n, _BLOCK):
            rows = slice(start, start + _BLOCK)
            part = errors if isinstance(errors, float) else errors[rows]
            yield _sums(x[rows], y[rows], _root_weight(part, errors_are), guess[0])

    with single_blas_thread():
        sums = tuple(fsum(column) for column in zip(*blocks(), strict=True))
    return _solve(sums, guess[0])


def _root_weight(
    errors: FloatArray | float, errors_are: Literal["sigma", "weight"]
) -> FloatArray | float:
    """Return 1/σ; NaN if one of them is not positive."""
    if isinstance(errors, float):
        return 1.0 / errors if errors_are == "sigma" else sqrt(errors)
    u: FloatArray = np.reciprocal(errors) if errors_are == "sigma" else np.sqrt(errors)
    return u if np.minimum.reduce(u) > 0.0 else float("nan")


def _sums(x: FloatArray, y: FloatArray, u: FloatArray | float, line: _Line) -> tuple[float, ...]:
    """Return S, Sx, Sxx, Se, Sxe, See about a line."""
    d = x - line.centre
    e = y - line.level
    if line.slope:
        e -= line.slope * d
    return _sums_of(d, e, u)


def _sums_of(d: FloatArray, e: FloatArray, u: FloatArray | float) -> tuple[float, ...]:
    """Return the sums of the derivation; overwrites `d` and `e`."""
    if isinstance(u, float):
        sums = (d.shape[0], np.add.reduce(d), d.dot(d), np.add.reduce(e), d.dot(e), e.dot(e))
        return tuple(u * u * float(value) for value in sums)
    d *= u
    e *= u
    return (
        float(u.dot(u)),
        float(u.dot(d)),
        float(d.dot(d)),
        float(u.dot(e)),
        float(d.dot(e)),
        float(e.dot(e)),
    )


def _solve(sums: tuple[float, ...], guess: _Line) -> tuple[_Line, _Moments] | None:
    """Return the line about the centroid of x, and its moments; None if undetermined."""
    S, Sx, Sxx, Se, Sxe, See = sums
    if not (1.0 / _SAFE < S < _SAFE and Sxx < _SAFE and See < _SAFE):
        return None
    mean = Sx / S
    D = Sxx - S * mean * mean
    if not D > max(S * (_DEGENERATE * _EPS * guess.centre) ** 2, _EPS * Sxx, 1.0 / _SAFE):
        return None
    correction = (Sxe - mean * Se) / D
    chi2 = max(See - Se * Se / S - correction * correction * D, 0.0)
    slope = guess.slope + correction
    centre = guess.centre + mean
    offset = mean - (centre - guess.centre)
    level = guess.level + (Se / S + guess.slope * (centre - guess.centre) - correction * offset)
    # The guess' intercept is a difference of large numbers, its correction small.
    product, error = two_product(guess.slope, guess.centre)
    intercept, rest = two_sum(guess.level, -product)
    intercept += rest - error + (Se / S - correction * centre)
    return _Line(centre, level, slope, intercept), _Moments(S, D, chi2, offset)


def _publish(line: _Line, moments: _Moments, n: int) -> Solution:
    root_S, root_D, offset = sqrt(moments.S), sqrt(moments.D), moments.offset
    mean = line.centre + offset
    internal = np.array([[line.level], [line.slope]])
    params = np.array([[line.intercept], [line.slope]])
    internal_root = np.array([[1.0 / root_S, -offset / root_D], [0.0, 1.0 / root_D]])
    params_root = np.array([[1.0 / root_S, -mean / root_D], [0.0, 1.0 / root_D]])
    chi2 = np.array([moments.chi2])
    R = np.array([[root_S, offset * root_S], [0.0, root_D]])
    factor = TriangularFactor(R, np.zeros((2, 1)), chi2, internal, n)
    return Solution(internal, internal_root, params, params_root, chi2, n, 2, factor)
