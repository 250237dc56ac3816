r"""Frequencies that coincide at evenly spaced features.

If all x are :math:`x_0 + i\,d` with integer i, then :math:`\sin(2\pi(f + k/d)x + p')` goes through
the same values as :math:`\sin(2\pi f x + p)` for every integer k, with another phase. No data tell
these *aliases* apart; the one that is meant is nearest to zero, below the Nyquist frequency
:math:`1/2d`. Starting values need only be tried there.

Whether a parameter is a frequency the model says by itself: it has the dimension of 1/x, or of x if
it is a period, and at integer x the model is the same with one turn more, which is 1 in cycles and
2π in radians.

Source: C. E. Shannon, "Communication in the presence of noise", Proc. IRE 37 (1949) 10.
"""

from collections.abc import Callable

import numpy as np

from sklsq._typing import FloatArray

__all__ = ["folded", "spacing", "turns"]

_INTEGERS = np.arange(1.0, 14.0)
_PROBES = 3
_EQUAL = 1e-9
_UNEVEN = 1e-6  # of a step, besides the rounding of x


def spacing(x: FloatArray) -> float | None:
    """Return the step of which all differences of x (n,) are multiples; None if there is none.

    Points may be missing, repeated or out of order; the step is the least difference.

    Examples
    --------
    >>> import numpy as np
    >>> spacing(np.array([1.0, 1.5, 3.0])), spacing(np.array([1.0, 1.5, 2.1]))
    (0.5, None)
    """
    ordered = np.sort(x)
    gaps = ordered[1:] - ordered[:-1]
    gaps = gaps[gaps > 0.0]
    if not gaps.size or not np.isfinite(ordered[-1] - ordered[0]):
        return None
    least = float(gaps.min())
    places = (ordered - ordered[0]) / least
    if places[-1] > 1e8:
        return None
    step = float((ordered[-1] - ordered[0]) / np.round(places[-1]))
    rounding = 4.0 * np.finfo(float).eps * max(abs(float(ordered[0])), abs(float(ordered[-1])))
    places = (ordered - ordered[0]) / step
    uneven = float(np.abs(places - np.round(places)).max())
    return step if uneven <= _UNEVEN + rounding / step and rounding < 0.01 * step else None


def turns(
    evaluate: Callable[[FloatArray, FloatArray], FloatArray],
    n_params: int,
    exponents: FloatArray,
) -> FloatArray:
    """Return what a turn is to each parameter: 1 cycle, or 2π; 0 if it is no frequency.

    Parameters
    ----------
    evaluate : callable
        ``evaluate(X (n, 1), params (S, m)) -> (S, ...)``.
    n_params : int
        m.
    exponents : ndarray of shape (m,)
        The power of the unit of x in each parameter; 1 for a period, -1 for a frequency.

    Examples
    --------
    >>> import numpy as np
    >>> wave = lambda X, p: np.sin(p[:, :1] * X[:, 0] + p[:, 1:]) * np.exp(-X[:, 0])
    >>> turns(wave, 2, np.array([-1.0, 0.0])).round(3)
    array([6.283, 0.   ])
    """
    found = np.zeros(n_params)
    where = np.flatnonzero(np.abs(exponents) == 1.0)
    if not where.size:
        return found
    X = _INTEGERS[:, None]
    params = np.random.default_rng(0).uniform(0.05, 0.45, (_PROBES, n_params))
    with np.errstate(all="ignore"):
        values = evaluate(X, params)
        scale = np.abs(values).max()
        if not 0.0 < scale < np.inf:
            return found
        for j in where:
            for turn in (1.0, 2.0 * np.pi):
                whole, part = params.copy(), params.copy()
                whole[:, j] = _shifted(params[:, j], turn, exponents[j])
                part[:, j] = _shifted(params[:, j], 0.3 * turn, exponents[j])
                same = np.abs(evaluate(X, whole) - values).max() <= _EQUAL * scale
                if same and np.abs(evaluate(X, part) - values).max() > 1e-3 * scale:
                    found[j] = turn
    return found


def folded(candidates: FloatArray, periods: FloatArray, exponents: FloatArray) -> FloatArray:
    """Return candidates (S, k) with the aliases nearest to zero in place of frequencies.

    Parameters
    ----------
    candidates : ndarray of shape (S, k)
    periods : ndarray of shape (k,)
        `turns` divided by the `spacing`; 0 for what is no frequency.
    exponents : ndarray of shape (k,)
        As in `turns`.

    Examples
    --------
    >>> import numpy as np
    >>> folded(np.array([[7.25], [-0.25]]), np.array([1.0]), np.array([-1.0])).ravel()
    array([ 0.25, -0.25])
    """
    result = candidates.copy()
    for j in np.flatnonzero(periods):
        period, is_inverse = periods[j], exponents[j] == 1.0
        with np.errstate(all="ignore"):
            frequency = 1.0 / candidates[:, j] if is_inverse else candidates[:, j]
            near = frequency - period * np.round(frequency / period)
            near = 1.0 / near if is_inverse else near
        is_high = np.abs(frequency) > 0.5 * period
        result[:, j] = np.where(is_high & np.isfinite(near), near, candidates[:, j])
    return result


def _shifted(values: FloatArray, by: float, exponent: float) -> FloatArray:
    return values + by if exponent == -1.0 else 1.0 / (1.0 / values + by)
