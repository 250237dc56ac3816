r"""Nonlinear least squares by Levenberg-Marquardt steps in a trust region.

From a start the descent repeats: linearise, step (`sklsq.solvers.trust_region`), and compare the
fall of the cost with the fall the linearised problem promised. A fall of more than a quarter keeps
the radius of the region, more than three quarters doubles the step as radius, less shrinks it, a
rise (or a model that is not finite there) sends the descent back. These are the rules of MINPACK's
`lmder` (Moré 1978; Moré, Garbow & Hillstrom, ANL-80-74). One is added: a length that has just
failed is approached little by little, for in a curved valley doubling would fail every other time;
over NIST's problems that saves a fifth of the steps, on three exponentials nearly half.

The descent ends differently. MINPACK stops when the cost changes by less than 1e-8 of itself, which
in a narrow valley happens two digits from the start. Here the measure is the *offset*, the length
of the Gauss-Newton step in standard errors,

.. math:: \omega = \sqrt{\frac{\|Q^\mathsf{T}r\|^2 / k}{\|r\|^2/(n-k)}},

(Bates & Watts, *Technometrics* 23 (1981) 179), which depends neither on units nor on the parameters
chosen. Once it is small the steps go on undamped until the next one, by the rate at which they
shrink, would be below 1e-11, or rounding lets them shrink no longer.

With many rows the start comes from a descent on every so-manieth of them, and the others are
visited block by block. Some rows may not show what all of them do, such as a peak between the lines
of an image. What such a start leads to is taken only if it fits all rows as well as the some, and
better than the start itself did; else the descent from there is made, too.

A parameter on a bound whose gradient points outward is held there, and released when it turns.
"""

from __future__ import annotations

import math
from contextlib import nullcontext

import numpy as np

from sklsq._typing import FloatArray, IntArray
from sklsq.solvers.batched_descent import minimise_batch
from sklsq.solvers.blas import single_blas_thread
from sklsq.solvers.descent import Descent, Reached
from sklsq.solvers.linearisation import cost_at, is_blocked
from sklsq.solvers.nonlinear_problem import Minima, NonlinearProblem, Outcome, Tolerances
from sklsq.solvers.ordinary_descent import is_ordinary, ordinary_descent

__all__ = ["minimise"]

_ONE_BY_ONE = 32  # descents up to which the loop for a single one is faster than arrays of them
_THREADED = 4_000  # entries of J from which on BLAS may start threads, which wait for each other
_SUBSAMPLES = 32  # of a blocked problem, one of which finds the start
_MIN_SUBSAMPLE = 4_096
_WORTH_A_GUIDE = 4_096  # rows from which on a descent on some of them comes first
_SCATTER = 3.0  # standard deviations of the cost of some rows
_USUAL = Tolerances()
_OF_MANY_ROWS = Tolerances(gtol=1e-6, left=1e-9)  # whose standard errors are small
_ROUGHLY = Tolerances(gtol=0.05, polish=False)  # a subsample's minimum is off by its own errors


def minimise(
    problem: NonlinearProblem,
    start: FloatArray,
    *,
    curves: IntArray | None = None,
    max_iter: int = 1_000,
    tolerances: Tolerances | None = None,
    reached: Reached | None = None,
) -> Minima:
    """Return the minima that descents from B starts lead to.

    Parameters
    ----------
    problem : NonlinearProblem
        Model and data.
    start : ndarray of shape (B, k)
        Starts; moved into the bounds.
    curves : ndarray of int of shape (B,), optional
        The curve each start belongs to; 0, 1, 2… by default.
    max_iter : int
        Most steps of a descent.
    tolerances : Tolerances, optional
        When a descent ends; a pass earlier by default where there are many rows, whose standard
        errors are small.
    reached : Reached, optional
        How far the ordinary descent from a single start has come already.

    Returns
    -------
    Minima
    """
    tolerances = _USUAL if tolerances is None else tolerances
    if is_blocked(problem) and tolerances == _USUAL:
        tolerances = _OF_MANY_ROWS
    curves = np.arange(len(start)) if curves is None else curves
    start = np.clip(start, *problem.box) if problem.bounded else start.astype(float)
    small = problem.n_rows * problem.n_params < _THREADED
    with np.errstate(all="ignore"), nullcontext() if small else single_blas_thread():
        few = len(start) <= _ONE_BY_ONE and is_ordinary(problem)
        if not few and len(start) > 1 and not is_blocked(problem):
            return minimise_batch(problem, start, curves, max_iter, tolerances)
        if reached is not None:
            return Descent(problem, start[0], int(curves[0]), max_iter, tolerances, reached).run()
        parts = [
            _single(problem, start[b], int(curves[b]), max_iter, tolerances)
            for b in range(len(start))
        ]
    return parts[0] if len(parts) == 1 else Minima.joined(parts)


def _single(
    problem: NonlinearProblem,
    start: FloatArray,
    curve: int,
    max_iter: int,
    tolerances: Tolerances,
) -> Minima:
    """Return the minimum of one descent."""
    if problem.n_rows <= _WORTH_A_GUIDE or problem.take is None:
        return _descend(problem, start, curve, max_iter, tolerances)
    some = _some_rows(problem)
    guide = _single(some, start, curve, max_iter, _ROUGHLY)
    if not guide.converged[0]:
        return _descend(problem, start, curve, max_iter, tolerances)
    guided = _descend(problem, guide.params[0], curve, max_iter, tolerances)
    cost = float(guided.cost[0])
    if guided.converged[0]:
        scatter = 1.0 + _SCATTER * math.sqrt(2.0 / some.n_rows)
        as_good = cost / problem.n_rows <= scatter * float(guide.cost[0]) / some.n_rows
        if (as_good or guided.outcome[0] == Outcome.EXACT) and (
            cost_at(some, start, curve) > cost or not cost > cost_at(problem, start, curve)
        ):
            return guided
    plain = _descend(problem, start, curve, max_iter, tolerances)
    if not plain.converged[0] and guided.converged[0]:
        return guided
    return guided if guided.converged[0] and cost < float(plain.cost[0]) else plain


def _descend(
    problem: NonlinearProblem,
    start: FloatArray,
    curve: int,
    max_iter: int,
    tolerances: Tolerances,
) -> Minima:
    reached = None
    if is_ordinary(problem):
        end = ordinary_descent(problem, start, curve, max_iter, tolerances)
        if isinstance(end, Minima):
            return end
        reached = end
    return Descent(problem, start, curve, max_iter, tolerances, reached).run()


def _some_rows(problem: NonlinearProblem) -> NonlinearProblem:
    """Return every so-manieth row: they lead most of the way at little cost."""
    assert problem.take is not None
    least = _MIN_SUBSAMPLE if is_blocked(problem) else _WORTH_A_GUIDE // _SUBSAMPLES * 4
    every = max(min(_SUBSAMPLES, problem.n_rows // least), 1)
    return problem.take(slice(0, problem.n_rows, every))
