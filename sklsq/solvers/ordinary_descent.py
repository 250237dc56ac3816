r"""The descent of an ordinary problem: one curve of few rows, no bounds, least squares.

The rules are those of `sklsq.solvers.descent`, in one loop on plain numbers: a fit of a hundred
points takes its time not for arithmetic but for calls. All that a step needs is in the products of
the rows of ``[J; r]``: Gram matrix, gradient and cost.

Where anything is out of the ordinary (steps refused again and again, an ill-conditioned matrix,
a fit that goes through every point, rounding) the loop stops and hands over, with the point it has
reached and its scales. Most fits never do.
"""

from __future__ import annotations

import math

import numpy as np

from sklsq._typing import FloatArray
from sklsq.solvers.descent import Reached
from sklsq.solvers.descent_rules import (
    ACCEPTABLE,
    AT_ROUNDING,
    CLOSE,
    INVISIBLE,
    MANY_REJECTED,
    SHRINKING,
)
from sklsq.solvers.gram import products_of
from sklsq.solvers.linearisation import HELD_ROWS, triangle_of
from sklsq.solvers.nonlinear_problem import Minima, NonlinearProblem, Outcome, Tolerances
from sklsq.solvers.trust_region import Quadratic, next_region, quadratic_of_gram

__all__ = ["is_ordinary", "ordinary_descent"]

_CONVERGED = int(Outcome.CONVERGED)
_ALL_BUT_EXACT = 1e-12  # fall of the cost after which rounding of the model may be all that is left


def is_ordinary(problem: NonlinearProblem) -> bool:
    """Whether the loop below is made for a problem."""
    return problem.loss == "linear" and not problem.bounded and problem.n_rows <= HELD_ROWS


def ordinary_descent(  # noqa: PLR0912, PLR0915  one loop, since calls are what takes the time
    problem: NonlinearProblem, start: FloatArray, curve: int, max_iter: int, tolerances: Tolerances
) -> Minima | Reached:
    """Return the minimum, or where the descent has to be taken over.

    Parameters
    ----------
    problem : NonlinearProblem
        One that `is_ordinary`.
    start : ndarray of shape (k,)
    curve : int
    max_iter : int
    tolerances : Tolerances
    """
    k, params, safe, n_iter, n_rejected = problem.n_params, start, start, 0, 0
    dof = max(problem.n_rows - k, 1)
    D, radius, ceiling = np.zeros(k), math.inf, math.inf
    rows = problem.rows(params, curve)
    products, chi2 = products_of(rows)
    exact = _ALL_BUT_EXACT * chi2
    old: FloatArray | None = None  # the undamped step that led here
    model: Quadratic | None = None  # None: to be made, of a new point
    while chi2 > exact and math.isfinite(chi2) and n_iter < max_iter:
        if model is None:
            gram, gradient = products[:k], products[k]
            D = np.maximum(D, np.sqrt(gram.diagonal()))
            model = quadratic_of_gram(gram, gradient, D)
            if model is None:  # maybe because a derivative is not finite
                params = safe
                break
            newton = model.newton
            longest = math.sqrt(float(newton.dot(newton)))
            offset = math.sqrt(max(model.decrement, 0.0) / k * dof / chi2)
            if old is not None and offset <= CLOSE:
                old = old * D
                squared = model.inner(old, old)
                ratio = model.inner(newton, old) / squared if squared > 0.0 else 1.0
                if not abs(ratio) < SHRINKING:
                    break
                if offset <= tolerances.gtol:
                    rest = newton - ratio * old
                    left = math.sqrt(max(model.inner(rest, rest), 0.0) / squared)
                    left *= offset / (1.0 - abs(ratio))
                    if left <= tolerances.left or not tolerances.polish:
                        params = params + newton / D / (1.0 - ratio)
                        return _minimum(rows, params, chi2, n_iter, offset)
            elif offset <= tolerances.gtol and not tolerances.polish:
                return _minimum(rows, params + newton / D, chi2, n_iter, offset)
            if n_iter == 0:
                scale = D * params
                radius = tolerances.reach * (math.sqrt(float(scale.dot(scale))) or 1.0)
                radius = min(radius, longest)
        undamped = longest <= radius or (offset <= AT_ROUNDING and not n_rejected)
        u, length, promised = newton, longest, 0.5 * model.decrement
        if not undamped:
            u = model.damped(radius)
            length, promised = math.sqrt(float(u.dot(u))), model.reduction(u)
        if not promised > 0.0:
            break
        change = u / D
        trial = params + change
        rows_there = problem.rows(trial, curve)
        there, chi2_there = products_of(rows_there)
        fall = 0.5 * (chi2 - chi2_there)
        invisible = undamped and promised <= 0.5 * INVISIBLE * chi2
        better = fall >= ACCEPTABLE * promised or (invisible and -fall <= 0.5 * INVISIBLE * chi2)
        if not better and (invisible or n_rejected == MANY_REJECTED):
            break
        n_iter += 1
        if not (invisible and better):
            slope = float(gradient.dot(change))
            gain = fall / promised
            radius, ceiling = next_region(radius, ceiling, length, gain, slope, -fall, undamped)
        n_rejected = 0 if better else n_rejected + 1
        if better:
            old, model = change if undamped else None, None
            safe, params, rows, products, chi2 = params, trial, rows_there, there, chi2_there
    return Reached(params, D, radius, n_iter)


def _minimum(
    rows: FloatArray, params: FloatArray, chi2: float, n_iter: int, offset: float
) -> Minima:
    return Minima(
        params=params[None],
        cost=np.array([0.5 * chi2]),
        chi2=np.array([chi2]),
        n_iter=np.array([n_iter]),
        outcome=np.array([_CONVERGED]),
        offset=np.array([offset]),
        R=triangle_of(rows)[0][None],
        at_bound=np.zeros((1, len(params)), dtype=bool),
    )
