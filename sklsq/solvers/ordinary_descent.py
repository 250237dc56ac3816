r"""The descent of an ordinary problem: one curve of few rows, no bounds, least squares.

The rules are those of `sklsq.solvers.descent`, in one loop on plain numbers: a fit of a hundred
points takes its time not for arithmetic but for calls. All that a step needs is in the products of
the rows of ``[J; r]``: Gram matrix, gradient and cost.

On the way through valleys where parameters can hardly be told apart a step that is damped is still
sound; others come from a QR decomposition. Where anything else is out of the ordinary (steps
refused again and again, an ill-conditioned matrix at the end, a fit that goes through every point,
rounding) the loop stops and hands over, with the point it has reached and its scales. Most fits
never do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import add, mul
from typing import Protocol

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
from sklsq.solvers.singular import default_rcond
from sklsq.solvers.trust_region import CERTAIN, next_region, quadratic_of_triangle
from sklsq.solvers.written_out import BY_ARRAYS, Numbers, Point, algebra, point_of

__all__ = ["Ordinary", "is_ordinary", "ordinary_descent"]

_CONVERGED = int(Outcome.CONVERGED)
_ALL_BUT_EXACT = 1e-12  # fall of the cost after which rounding of the model may be all that is left


class Ordinary(Protocol):
    """What the loop needs to know of a problem; see `NonlinearProblem`."""

    @property
    def n_params(self) -> int:
        """Number k of parameters."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""

    def rows(self, params: Sequence[float], curve: int) -> FloatArray:
        """Return rows (k + 1, n) of one point: J, and the residuals below."""


def is_ordinary(problem: NonlinearProblem) -> bool:
    """Whether the loop below is made for a problem."""
    return problem.loss == "linear" and not problem.bounded and problem.n_rows <= HELD_ROWS


def ordinary_descent(  # noqa: PLR0912, PLR0915  one loop, since calls are what takes the time
    problem: Ordinary, start: FloatArray, curve: int, max_iter: int, tolerances: Tolerances
) -> Minima | Reached:
    """Return the minimum, or where the descent has to be taken over.

    Parameters
    ----------
    problem : NonlinearProblem, or what has its numbers of rows and parameters and its `rows`
        One that `is_ordinary`.
    start : ndarray of shape (k,)
    curve : int
    max_iter : int
    tolerances : Tolerances
    """
    k, n_iter, n_rejected = problem.n_params, 0, 0
    dof = max(problem.n_rows - k, 1)
    usual = steps = algebra(k)
    params: Numbers = start.tolist()
    D: Numbers = (0.0,) * k
    safe, radius, ceiling = params, math.inf, math.inf
    rows = problem.rows(params, curve)
    products, chi2 = products_of(rows)
    exact = _ALL_BUT_EXACT * chi2
    old: Numbers | None = None  # the undamped step that led here
    point: Point | None = None  # None: to be made, of a new point
    while chi2 > exact and chi2 < math.inf and n_iter < max_iter:
        if point is None:
            point, steps = usual.arrive(products, D), usual
            size = dof / k / chi2
            if point is None or (
                point.condition > CERTAIN
                and (n_iter == 0 or point.longest <= radius or point.decrement * size <= CLOSE**2)
            ):
                point, steps = _ill_conditioned(rows, products, D), BY_ARRAYS
            if point is None:  # a derivative is not finite, or there is none
                params = safe
                break
            D, newton, longest, decrement, _, _ = point
            offset = math.sqrt(max(decrement, 0.0) * size)
            if old is not None and offset <= CLOSE:
                ratio, left = steps.compare(point, old)
                if not abs(ratio) < SHRINKING:
                    break
                if offset <= tolerances.gtol and (
                    left * offset / (1.0 - abs(ratio)) <= tolerances.left or not tolerances.polish
                ):
                    if steps is not usual:
                        break
                    every = [step / (1.0 - ratio) for step in newton]  # with all that follow
                    return _minimum(rows, list(map(add, params, every)), chi2, n_iter, offset)
            elif offset <= tolerances.gtol and not tolerances.polish:
                if steps is not usual:
                    break
                return _minimum(rows, list(map(add, params, newton)), chi2, n_iter, offset)
            if n_iter == 0:
                scale = math.hypot(*map(mul, D, params)) or 1.0
                radius = min(tolerances.reach * scale, longest)
        undamped = longest <= radius or (offset <= AT_ROUNDING and not n_rejected)
        if undamped:
            change, length, promised, slope = newton, longest, 0.5 * decrement, decrement
        else:
            change, length, promised, slope = steps.damped(point, radius)
        if not promised > 0.0:
            break
        trial = list(map(add, params, change))
        rows_there = problem.rows(trial, curve)
        there, chi2_there = products_of(rows_there)
        fall = 0.5 * (chi2 - chi2_there)
        invisible = undamped and promised <= 0.5 * INVISIBLE * chi2
        better = fall >= ACCEPTABLE * promised or (invisible and -fall <= 0.5 * INVISIBLE * chi2)
        if not better and (invisible or n_rejected == MANY_REJECTED):
            break
        n_iter += 1
        if not (invisible and better):
            gain = fall / promised
            radius, ceiling = next_region(radius, ceiling, length, gain, slope, -fall, undamped)
        n_rejected = 0 if better else n_rejected + 1
        if better:
            old, point = change if undamped else None, None
            safe, params, rows, products, chi2 = params, trial, rows_there, there, chi2_there
    return Reached(np.array(params), np.array(D), radius, n_iter)


def _ill_conditioned(rows: FloatArray, products: FloatArray, D: Numbers) -> Point | None:
    """Return the point of rows whose Gram matrix will not do; None if they are not numbers."""
    k = len(D)
    scales = np.maximum(D, np.sqrt(products[:k].diagonal()))
    if not (scales.all() and math.isfinite(float(scales.dot(scales)))):
        return None
    R, z = triangle_of(rows)
    model = quadratic_of_triangle(R, z, scales, default_rcond(rows.shape[1], k))
    return point_of(model, products[k])


def _minimum(rows: FloatArray, params: Numbers, chi2: float, n_iter: int, offset: float) -> Minima:
    return Minima(
        params=np.array([params]),
        cost=np.array([0.5 * chi2]),
        chi2=np.array([chi2]),
        n_iter=np.array([n_iter]),
        outcome=np.array([_CONVERGED]),
        offset=np.array([offset]),
        R=triangle_of(rows)[0][None],
        at_bound=np.zeros((1, len(params)), dtype=bool),
    )
