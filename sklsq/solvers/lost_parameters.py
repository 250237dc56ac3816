r"""Descents that have lost a parameter, and the way back.

Variable projection supposes that the rank of Φ(α) does not change (Golub & Pereyra, *SIAM J. Numer.
Anal.* 10 (1973) 413). It does where two terms have become one, or where a term is over
before the second point: a rate that one long step has carried from 9 to 400. Beyond, the cost is a
plateau. Whatever the sign of its slope on the way there, no derivative is left that could lead
back, and a descent ends beside a model with one term fewer.

It can be told from the derivatives at the end, whose triangular factor is R. A parameter is *lost*
if all of its own size could be added to it without being noticed,

.. math:: \|R_j\|\,|\alpha_j| \le 0.01\,s, \qquad s^2 = \|r\|^2/(n - k),

and where a descent ends for want of a step that lowers the cost, as on the ridge of two terms
alike, any of them may be. The model with one term fewer is kept, and the parameter put back where
the cost is lowest along its own axis, by octaves about its start. The best place for one more term
beside those at hand is also what the algorithms for sums of exponentials with positive coefficients
look for (Evans, Gragg & LeVeque, *Math. Comp.* 34 (1980) 203). From there the descent goes on; its
end is taken if it is lower.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.solvers.levenberg_marquardt import minimise
from sklsq.solvers.nonlinear_problem import Minima, NonlinearProblem, Outcome, Tolerances

__all__ = ["found_again", "lost_parameters"]

_UNNOTICED = 1e-2  # standard errors of the fit
_OCTAVES = 2.0 ** np.arange(-16.0, 17.0)  # about the start of a parameter
_ROUNDS = 2  # for each parameter
_LOWER = 1e-9  # relative change of the cost that is worth going on
_EVALUATED_NUMBERS = 200_000  # entries of the Jacobians held at a time


def found_again(
    problem: NonlinearProblem,
    start: FloatArray,
    ends: Minima,
    curves: IntArray,
    *,
    max_iter: int,
    tolerances: Tolerances,
) -> Minima:
    """Return the ends of B descents, those that had lost a parameter after going on.

    Parameters
    ----------
    problem : NonlinearProblem
        Model and data; its loss is "linear".
    start : ndarray of shape (B, k)
        Where the descents began: the scales of the parameters.
    ends : Minima
        Where they ended.
    curves : ndarray of int of shape (B,)
        The curve of each.
    max_iter : int
        Steps of a descent; who has taken as many does not go on.
    tolerances : Tolerances
        Of the descents.

    Returns
    -------
    Minima
        `n_iter` counts the steps of all descents from a start.
    """
    rows = np.arange(len(start))
    for _ in range(_ROUNDS * start.shape[1]):
        lost = lost_parameters(problem, ends.where(rows))
        again = lost.any(axis=1) & (ends.n_iter[rows] < max_iter)
        rows, lost = rows[again], lost[again]
        if not rows.size:
            break
        begin = _put_back(problem, ends.params[rows], start[rows], lost, curves[rows])
        found = minimise(
            problem, begin, curves=curves[rows], max_iter=max_iter, tolerances=tolerances
        )
        lower = np.flatnonzero(found.cost < ends.cost[rows] * (1.0 - _LOWER))
        rows, found = rows[lower], found.where(lower)
        found = replace(found, n_iter=found.n_iter + ends.n_iter[rows])
        order = np.arange(len(start))
        order[rows] = len(start) + np.arange(len(rows))
        ends = Minima.joined([ends, found]).where(order)
    return ends


def lost_parameters(problem: NonlinearProblem, ends: Minima) -> BoolArray:
    """Return the parameters (B, k) that descents have lost.

    Parameters
    ----------
    problem : NonlinearProblem
        Model and data.
    ends : Minima
        Where the descents ended.
    """
    error = np.sqrt(2.0 * ends.cost / max(problem.n_rows - problem.n_params, 1))
    stuck = (ends.outcome == Outcome.STALLED) | (ends.outcome == Outcome.NOT_FINITE)
    lost: BoolArray = (ends.terms <= _UNNOTICED * error[:, None]) | stuck[:, None]
    return lost & (ends.cost > 0.0)[:, None]


def _put_back(
    problem: NonlinearProblem,
    params: FloatArray,
    start: FloatArray,
    lost: BoolArray,
    curves: IntArray,
) -> FloatArray:
    """Return the points (B, k) with that one of the lost parameters which lowers the cost most."""
    rows, places = np.nonzero(lost)
    n_octaves = len(_OCTAVES)
    points = np.repeat(params[rows][:, None], n_octaves, axis=1)
    scale = np.where(start[lost] != 0.0, start[lost], 1.0)
    points[np.arange(len(rows)), :, places] = scale[:, None] * _OCTAVES
    points = np.clip(points.reshape(-1, params.shape[1]), *problem.box)
    owners = np.repeat(rows, n_octaves)
    costs = _costs(problem, points, curves[owners])
    order = np.lexsort((costs, owners))
    best: FloatArray = points[order[np.unique(owners[order], return_index=True)[1]]]
    return best


def _costs(problem: NonlinearProblem, points: FloatArray, curves: IntArray) -> FloatArray:
    """Return the costs (S,); infinite where there is none."""
    costs = np.empty(len(points))
    size = max(_EVALUATED_NUMBERS // (problem.n_rows * (problem.n_params + 2)), 1)
    with np.errstate(all="ignore"):
        for first in range(0, len(points), size):
            part = slice(first, first + size)
            costs[part] = problem.costs(points[part], curves[part])
    return np.where(np.isfinite(costs), costs, np.inf)
