r"""Terms that are rounding: what nobody would miss leaves its parameters undetermined.

Through points on a constant, a peak on a constant goes exactly: with a height that is not zero but
1e-16, for that is what remains where rounded numbers are subtracted; or with any height, and a
width of 1e9. The derivatives by the place of a peak which is not there are as small, yet in units
of their own as independent as any, and it gets an error, of nothing or of 1e15.

A fit is *exact* if its residuals are rounding of the data, :math:`\|r\| \le 64\,\varepsilon\,\|y/
\sigma\|`, 64 units in the last place for what a descent leaves of the cancellation of a few terms.
A term of an exact fit is one too many if the fit without it, at the best linear parameters of the
others, is exact as well. At an amplitude of zero the derivatives by the other parameters of the
term vanish, and what is not determined shows. By leaving out a parameter of variance
:math:`C_{jj}` (for residuals of variance 1) the residuals grow to :math:`|p_j|/\sqrt{C_{jj}}` at
least, so that for nearly all fits nothing has to be tried.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.solvers.linearisation import Linearisation, linearise_at
from sklsq.solvers.nonlinear_problem import Minima, NonlinearProblem
from sklsq.solvers.small_matrices import inverse_triangles

__all__ = ["ROUNDING", "dispensable", "may_be_exact", "without_rounding"]

ROUNDING = 64.0 * float(np.finfo(np.float64).eps)  # of a fitted value
_REFINED = 2  # solutions for the linear parameters, the second of what the first has left


def may_be_exact(minima: Minima) -> BoolArray:
    """Return the minima (t,) whose residuals may be rounding, the data not being at hand.

    Parameters
    ----------
    minima : Minima
        Compared with what their parameters contribute.
    """
    terms = minima.terms
    largest = terms.shape[1] * terms.max(axis=1, initial=0.0)
    found: BoolArray = np.sqrt(2.0 * minima.cost) <= ROUNDING * largest
    return found & minima.converged


def dispensable(minima: Minima, sizes: FloatArray) -> BoolArray:
    """Return the parameters (t, k) of exact fits that may as well be zero, if they enter linearly.

    Parameters
    ----------
    minima : Minima
        Of t curves.
    sizes : ndarray of shape (t,)
        Lengths of the whitened data.
    """
    allowed = ROUNDING * sizes
    with np.errstate(all="ignore"):
        inverse = inverse_triangles(minima.R)
        grows = np.abs(minima.params) / np.sqrt(np.einsum("tij,tij->ti", inverse, inverse))
    exact = minima.converged & (np.sqrt(2.0 * minima.cost) <= allowed)
    found: BoolArray = ~(grows > allowed[:, None]) & (minima.params != 0.0) & exact[:, None]
    return found


def without_rounding(
    problem: NonlinearProblem,
    minima: Minima,
    curves: IntArray,
    sizes: FloatArray,
    linear: BoolArray,
) -> Minima:
    """Return minima with amplitudes of zero for terms that are one too many.

    Parameters
    ----------
    problem : NonlinearProblem
    minima : Minima
        Of t curves.
    curves : ndarray of int of shape (t,)
    sizes : ndarray of shape (t,)
        Lengths of the whitened data.
    linear : ndarray of bool of shape (k,)
        Parameters that enter linearly, together.
    """
    allowed, may = ROUNDING * sizes, dispensable(minima, sizes) & linear
    rows = np.flatnonzero(may.any(axis=1))
    if not rows.size:
        return minima
    params, R, cost, chi2 = (a.copy() for a in (minima.params, minima.R, minima.cost, minima.chi2))
    terms = minima.terms
    for row in rows:
        known = minima.R[row].any(axis=0)
        kept = linear.copy()
        for j in np.argsort(terms[row]):
            if not may[row, j]:
                continue
            kept[j] = False
            other = _without(problem, params[row], int(curves[row]), int(j), kept)
            there = (
                None if other is None else _exact(problem, other, int(curves[row]), allowed[row])
            )
            if other is None or there is None or not (known & (there.norms == 0.0)).any():
                kept[j] = True
                continue
            params[row], cost[row], chi2[row] = other, there.cost, there.chi2
            R[row] = there.triangle()[0]
            known = there.norms > 0.0
    return replace(minima, params=params, R=R, cost=cost, chi2=chi2)


def _without(
    problem: NonlinearProblem, params: FloatArray, curve: int, j: int, kept: BoolArray
) -> FloatArray | None:
    """Return the point without parameter j, those `kept` at their best; None out of bounds."""
    lower, upper = problem.box
    other = params.copy()
    other[j] = 0.0
    with np.errstate(all="ignore"):
        for _ in range(_REFINED if kept.any() else 0):
            rows = problem.rows(other.tolist(), curve)
            columns, norms = rows[:-1][kept], np.linalg.norm(rows[:-1][kept], axis=1)
            if not np.isfinite(rows).all():
                return None
            norms[norms == 0.0] = 1.0
            scaled = (columns / norms[:, None]).T
            other[kept] += np.linalg.lstsq(scaled, rows[-1], rcond=None)[0] / norms
    return other if ((lower <= other) & (other <= upper)).all() else None


def _exact(
    problem: NonlinearProblem, params: FloatArray, curve: int, allowed: float
) -> Linearisation | None:
    """Return the problem linearised at a point, None if residuals are more than rounding."""
    with np.errstate(all="ignore"):
        there = linearise_at(problem, params, curve)
        exact = np.sqrt(2.0 * there.cost) <= allowed and bool(np.isfinite(there.norms).all())
    return there if exact else None
