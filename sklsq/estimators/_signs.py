"""Signs that do not matter: of a width that enters squared, of a width and the area together.

Two points in parameter space that differ in such signs alone are one fit. The user gets the one on
the side where the start was, and where there was none the one with positive values.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.solvers.nonlinear_problem import Minima, NonlinearProblem

__all__ = ["turned", "wanted_signs"]

_SAME = 1e-10  # relative difference of residuals, and of derivatives
_ASKED = 4  # minima that tell whether a sign matters to the model
_TOGETHER = 1_000_000  # entries of the derivatives held at a time


def wanted_signs(start: FloatArray | None, n_params: int) -> FloatArray:
    """Return the signs (k,) parameters should have if they do not matter; zero for either.

    Parameters
    ----------
    start : ndarray of shape (k,) or None
        The user's, NaN where it leaves one open: positive there.
    n_params : int
        k

    Examples
    --------
    >>> import numpy as np
    >>> wanted_signs(np.array([3.0, -1.0, 0.0, np.nan]), 4)
    array([ 1., -1.,  0.,  1.])
    """
    if start is None:
        return np.ones(n_params)
    signs: FloatArray = np.where(np.isnan(start), 1.0, np.sign(start))
    return signs


def turned(
    problem: NonlinearProblem, minima: Minima, curves: IntArray, wanted: FloatArray
) -> Minima:
    """Return minima with the signs that are wanted, where the model is even in the parameters.

    One parameter at a time, then two together, as a width and the area under the peak.

    Parameters
    ----------
    problem : NonlinearProblem
    minima : Minima
        Of t curves.
    curves : ndarray of int of shape (t,)
    wanted : ndarray of shape (k,)
        1, -1, or 0 for either.
    """
    wrong = (minima.params * wanted < 0.0).any(axis=0)
    if not wrong.any():
        return minima
    params, R = minima.params.copy(), minima.R.copy()
    lower, upper = problem.box
    singles = np.flatnonzero(wrong).tolist()
    size = max(_TOGETHER // (problem.n_rows * (problem.n_params + 1)), 1)
    for places in [[j] for j in singles] + [list(pair) for pair in combinations(singles, 2)]:
        other = -params[:, places]
        inside = (other * wanted[places] > 0.0) & (other <= upper[places])
        rows = np.flatnonzero((inside & (other >= lower[places])).all(axis=1))
        asked = rows[:: len(rows) // _ASKED + 1]  # a sign that matters to these matters to all
        if not rows.size or not _is_even(problem, params[asked], curves[asked], places).any():
            continue
        for first in range(0, len(rows), size):
            part = rows[first : first + size]
            changed = part[_is_even(problem, params[part], curves[part], places)]
            params[changed[:, None], places] *= -1.0
            R[changed[:, None], :, places] *= -1.0
    return replace(minima, params=params, R=R)


def _is_even(
    problem: NonlinearProblem, params: FloatArray, curves: IntArray, places: list[int]
) -> BoolArray:
    """Return for which points (B, k) the model is the same with signs changed."""
    other = params.copy()
    other[:, places] *= -1.0
    with np.errstate(all="ignore"):
        before, J = problem.linearise(params, curves)
        after = problem.evaluate(other, curves)
        terms = np.abs(J * params[:, :, None]).max(axis=(1, 2))
        scale = np.maximum(np.abs(before).max(axis=1), terms)
        even: BoolArray = np.abs(after - before).max(axis=1) <= _SAME * scale
        if not even.any():
            return even
        _, J_other = problem.linearise(other, curves)
        J_other[:, places] *= -1.0
        size = _SAME * np.abs(J).max(axis=2, initial=0.0)[:, :, None]
        even &= (np.abs(J_other - J) <= size).all(axis=(1, 2)) & J[:, places].any(axis=(1, 2))
    return even
