r"""The weighted straight line in one pass.

With a guess :math:`y \approx \alpha_0 + \beta_0(x - c)` taken from some of the points, the sums
over all of them

.. math:: S = \sum u^2,\quad S_x = \sum u^2 d,\quad S_{xx} = \sum u^2 d^2,\quad S_e = \sum u^2 e,\quad
          S_{xe} = \sum u^2 d\,e,\quad S_{ee} = \sum u^2 e^2

of :math:`u = 1/\sigma`, :math:`d = x - c` and :math:`e = y - \alpha_0 - \beta_0 d` give, with
:math:`\bar d = S_x/S`, :math:`D = S_{xx} - S\bar d^2` and :math:`\beta_1 = (S_{xe} - \bar d
S_e)/D`,

.. math:: \beta = \beta_0 + \beta_1, \qquad y(\bar x) = \alpha_0 + \beta_0\bar d + S_e/S, \qquad
          \sigma_\beta^2 = 1/D, \qquad \sigma_{y(\bar x)}^2 = 1/S, \qquad
          \chi^2 = S_{ee} - S_e^2/S - \beta_1^2 D

at the centroid :math:`\bar x = c + \bar d`, where slope and level are uncorrelated: the textbook
line (Bevington & Robinson, *Data Reduction and Error Analysis*, 3rd ed., 6.3) with every sum formed
from differences: nothing cancels, whatever the offset of x or y, because the guess has taken up
what is large. Few points are summed twice, first for the guess; of many, a sample gives the guess,
and one pass over cache-sized blocks the sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import fsum, sqrt
from typing import Literal

import numpy as np

from sklsq._typing import FloatArray
from sklsq.solvers.solution import Solution
from sklsq.solvers.triangular import TriangularFactor

__all__ = ["fit_line"]

_BLOCK = 8192  # below the 10,000 elements from which OpenBLAS threads a dot product
_SAMPLE = 1024
_EPS = float(np.finfo(np.float64).eps)
_SAFE = 1e100  # squares, and sums of their products, stay within range
_DEGENERATE = 10.0  # spread of x, in rounding errors of its offset, below which x is constant


@dataclass(frozen=True, slots=True)
class _Guess:
    """The line ``level + slope * (x - centre)``."""

    centre: float
    level: float
    slope: float


def fit_line(
    x: FloatArray,
    y: FloatArray,
    errors: FloatArray | float,
    errors_are: Literal["sigma", "weight"],
) -> tuple[float, Solution] | None:
    """Return the weighted least-squares line about its centroid, or None where it needs the general solver.

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
    few = n <= _SAMPLE
    if few:
        sample = (x, y, errors)
    else:
        index = np.random.default_rng(0).integers(0, n, _SAMPLE)
        sample = (x[index], y[index], errors if isinstance(errors, float) else errors[index])
    guess = _Guess(float(sample[0].mean()), float(sample[1].mean()), 0.0)
    weighting = _root_weight if errors_are == "sigma" else np.sqrt
    first = _solve(_sums(*sample, weighting, guess), guess)
    if first is None:
        return None
    refined = first[0]
    second = _solve(_block_sums(x, y, errors, weighting, refined), refined)
    return None if second is None else (second[0].centre, _publish(*second, n))


def _root_weight(sigma: FloatArray) -> FloatArray:
    return 1.0 / sigma


def _sums(
    x: FloatArray,
    y: FloatArray,
    errors: FloatArray | float,
    weighting: Callable[[FloatArray], FloatArray],
    guess: _Guess,
) -> tuple[float, ...]:
    """Return S, Sx, Sxx, Se, Sxe, See of a block; S is NaN if a weight is not positive."""
    d = x - guess.centre
    e = y - guess.level
    if guess.slope:
        e -= guess.slope * d
    if isinstance(errors, float):
        scale = 1.0 / errors**2 if weighting is _root_weight else errors
        return (
            scale * d.shape[0],
            scale * float(d.sum()),
            scale * float(d.dot(d)),
            scale * float(e.sum()),
            scale * float(d.dot(e)),
            scale * float(e.dot(e)),
        )
    u = weighting(errors)
    if not u.min() > 0.0:
        return (float("nan"),) * 6
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


def _block_sums(
    x: FloatArray,
    y: FloatArray,
    errors: FloatArray | float,
    weighting: Callable[[FloatArray], FloatArray],
    guess: _Guess,
) -> tuple[float, ...]:
    def blocks() -> Iterator[tuple[float, ...]]:
        for start in range(0, x.shape[0], _BLOCK):
            rows = slice(start, start + _BLOCK)
            part = errors if isinstance(errors, float) else errors[rows]
            yield _sums(x[rows], y[rows], part, weighting, guess)

    if x.shape[0] <= _BLOCK:
        return _sums(x, y, errors, weighting, guess)
    return tuple(fsum(column) for column in zip(*blocks(), strict=True))


def _solve(
    sums: tuple[float, ...], guess: _Guess
) -> tuple[_Guess, tuple[float, float, float]] | None:
    """Return the line about the centroid of x, and ``S, D, chi2``; None where the sums do not determine it."""
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
    level = guess.level + Se / S + guess.slope * (centre - guess.centre)
    return _Guess(centre, level, slope), (S, D, chi2)


def _publish(line: _Guess, sums: tuple[float, float, float], n: int) -> Solution:
    S, D, chi2 = sums
    root_S, root_D, c = sqrt(S), sqrt(D), line.centre
    internal = np.array([[line.level], [line.slope]])
    params = np.array([[line.level - line.slope * c], [line.slope]])
    internal_root = np.array([[1.0 / root_S, 0.0], [0.0, 1.0 / root_D]])
    params_root = np.array([[1.0 / root_S, -c / root_D], [0.0, 1.0 / root_D]])
    chi2s = np.array([chi2])
    R = np.array([[root_S, 0.0], [0.0, root_D]])
    factor = TriangularFactor(R, np.zeros((2, 1)), chi2s, internal, n)
    return Solution(internal, internal_root, params, params_root, chi2s, n, 2, factor)
