"""The quick look of a fit without starting values: few candidates, one descent, and a judge."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.estimators._curves import Curves
from sklsq.models.aliases import folded, spacing, turns
from sklsq.models.candidates import Draws, draws
from sklsq.models.separation import Separation, separation
from sklsq.solvers.levenberg_marquardt import minimise
from sklsq.solvers.nonlinear_problem import Minima, NonlinearProblem, Tolerances
from sklsq.solvers.quick_look import Judge, Verdict, best_linear, picked, projected_costs
from sklsq.solvers.starts import StartSearch, distinct
from sklsq.solvers.symmetries import turned

__all__ = ["quick_look"]

_ROWS = 64  # looked at
_CANDIDATES = (1, 32, 80, 128)  # for as many nonlinear parameters
_GUIDED = 32  # and as many more that follow what y shows
_DESCENTS = 6
_STEPS = 50
_SPECTRUM = 2_048  # rows of which a spectrum is taken at most
_BESIDE = np.array([0.0, -0.4, 0.4])  # the best frequency, in steps of the spectrum
_SHORT = 0.3  # of the range of x: what errors of places near zero are compared with
_CURVE = np.zeros(1, dtype=int)


def quick_look(
    curves: Curves, problem: NonlinearProblem, seed: int, max_iter: int, tolerances: Tolerances
) -> StartSearch | None:
    """Return the minima found by a quick look; None if the best may not be the lowest there is.

    Parameters
    ----------
    curves : Curves
        A single one; of others, of formulas that are not known, and with bounds, ties, priors, a
        covariance or a robust loss, nothing is found.
    problem : NonlinearProblem
        Of this curve.
    seed : int
        Of the candidates.
    max_iter, tolerances
        Of the descents.
    """
    space, n = curves.space, curves.n_samples
    if (
        len(curves.Y) > 1
        or problem.loss != "linear"
        or problem.bounded
        or space.tied
        or space.priors
        or curves.cholesky is not None
        or n <= problem.n_params
    ):
        return None
    parts = separation(curves.model, curves.X)
    if parts is None:
        return None
    held = tuple(space.names.index(name) for name in space.fixed)
    plan = _plan(parts, curves.X.shape[1], held, seed)
    if plan is None:
        return None
    x_low = curves.X.min(axis=0)
    span = curves.X.max(axis=0) - x_low
    span[~(span > 0.0)] = 1.0
    periods = _periods(plan, curves.X)
    points = _candidates(plan, curves, x_low, span, periods)
    rows = _rows(plan, curves, points)
    judge, order = _judge(plan, curves, span), _order(curves.X)
    found: list[Minima] = []
    verdicts: list[Verdict] = []
    for number in picked(points, projected_costs(rows), _DESCENTS):
        start = np.empty((1, problem.n_params))
        start[0, plan.nonlinear] = points[number]
        start[0, plan.linear] = best_linear(rows[:, number])
        minimum = minimise(
            problem, start, curves=_CURVE, max_iter=min(max_iter, _STEPS), tolerances=tolerances
        )
        if not math.isfinite(minimum.cost[0]):
            continue
        at_end = problem.rows(minimum.params[0], 0)
        found.append(minimum)
        verdicts.append(judge.verdict(minimum, at_end if order is None else at_end[:, order]))
        if judge.settles(found, verdicts, is_all=False):
            break
    else:
        if not judge.settles(found, verdicts, is_all=True):
            return None
    if plan.may_turn.any():
        every, curve = Minima.joined(found), np.zeros(len(found), dtype=int)
        every = turned(problem, every, curve, plan.linear, plan.may_turn)
        found = [every.where(slice(i, i + 1)) for i in range(len(found))]
    looked = distinct(found, len(points))
    ends = looked.best.params[:, plan.nonlinear]
    if periods is not None and (folded(ends, periods, plan.exponents) != ends).any():
        return None  # of two frequencies that coincide the lower one is wanted
    return looked


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is known before the data are; masks (k,) of the free parameters, indices of entries."""

    parts: Separation
    linear: BoolArray
    nonlinear: BoolArray
    features: BoolArray
    where: IntArray  # of the nonlinear ones among all
    held: tuple[int, ...]
    columns_held: list[tuple[int, int]]  # positions of held linear ones among the columns, and all
    draws: Draws
    at_extremes: tuple[IntArray, ...]
    at_frequencies: tuple[IntArray, ...]
    is_number: BoolArray
    is_place: BoolArray
    may_turn: BoolArray  # those that may be angles
    exponents: FloatArray  # of the nonlinear ones, of the single feature
    turns: FloatArray  # of the nonlinear ones, 0 if they are no frequencies


@lru_cache(maxsize=64)
def _plan(parts: Separation, width: int, held: tuple[int, ...], seed: int) -> _Plan | None:
    """Return the plan of a look; None where there are too many nonlinear parameters."""
    free = np.setdiff1d(np.arange(len(parts.is_linear)), held)
    linear = parts.is_linear[free]
    where = free[~linear]
    k = len(where)
    if k >= len(_CANDIDATES):
        return None
    known = None if parts.dimensions is None else parts.dimensions[:, where] + 0.0
    key = None if known is None else tuple(map(tuple, known.tolist()))
    drawn = draws(_CANDIDATES[k] + (_GUIDED if k else 0), k, width, seed, key)
    guided = np.arange(len(drawn.values)) >= _CANDIDATES[k]
    one = width == 1
    nothing = np.zeros(len(linear), dtype=bool)
    is_number, is_place = nothing.copy(), nothing.copy()
    if known is not None:
        is_number[~linear] = ~known.any(axis=0)
        is_place[~linear] = one & (known[0] == 1.0)
    exponents = known[0] if one and known is not None else np.zeros(k)
    every = np.flatnonzero(parts.is_linear).tolist()
    return _Plan(
        parts,
        linear,
        ~linear,
        (parts.is_linear & ~parts.is_column_fixed)[free],
        where,
        held,
        [(every.index(j), j) for j in held if j in every],
        drawn,
        np.nonzero(drawn.place[:, :, 0].astype(bool) & guided[:, None] & one),
        np.nonzero(drawn.is_rate & guided[:, None]),
        is_number,
        is_place,
        is_number if known is not None else ~linear,
        exponents,
        _turns(parts, exponents, where),
    )


def _turns(parts: Separation, exponents: FloatArray, where: IntArray) -> FloatArray:
    """Return what a turn is to each nonlinear parameter, 0 if it is no frequency."""

    def columns(X: FloatArray, points: FloatArray) -> FloatArray:
        params: list[Any] = [0.0] * len(parts.is_linear)
        for j, column in zip(where.tolist(), points.T, strict=True):
            params[j] = column[:, None]
        found = parts.run(*(X[:, j] for j in parts.columns), *params)
        return np.stack([np.broadcast_to(column, (len(points), len(X))) for column in found])

    return turns(columns, len(where), exponents)


def _periods(plan: _Plan, X: FloatArray) -> FloatArray | None:
    """Return after what step each frequency coincides with another; None if none does."""
    if not plan.turns.any():
        return None
    step = spacing(X[:, 0])
    return None if step is None else plan.turns / step


def _candidates(
    plan: _Plan, curves: Curves, low: FloatArray, span: FloatArray, periods: FloatArray | None
) -> FloatArray:
    """Return candidates (S, number of nonlinear parameters)."""
    y = curves.Y[0]
    highest, lowest = int(y.argmax()), int(y.argmin())
    points = plan.draws.on(low, span, max(abs(float(y[highest])), abs(float(y[lowest]))))
    if plan.at_extremes[0].size:
        places = curves.X[[highest, lowest], 0]
        points[plan.at_extremes] = np.resize(places, len(plan.at_extremes[0]))
    if plan.at_frequencies[0].size:
        some = y[:: len(y) // _SPECTRUM + 1]
        power = np.abs(np.fft.rfft(some - some.mean(), 2 * len(some)))
        unit = math.pi / (float(span[0]) * (1.0 + 1.0 / len(some)))
        near = unit * (int(power.argmax()) + _BESIDE)
        points[plan.at_frequencies] = np.resize(near, len(plan.at_frequencies[0]))
        in_cycles = plan.turns == 1.0
        if in_cycles.any():
            rows, columns = plan.at_frequencies
            points[rows, columns] /= np.where(in_cycles, 2.0 * math.pi, 1.0)[columns]
    return points if periods is None else folded(points, periods, plan.exponents)


def _rows(plan: _Plan, curves: Curves, points: FloatArray) -> FloatArray:
    """Return the columns of each candidate, and y below, whitened, (m + 1, S, n) at some rows."""
    X, y, root = curves.X, curves.Y[0], curves.root[0]
    if len(y) > _ROWS:
        some = _some(len(y))
        X, y = X[some], y[some]
        root = root if len(root) == 1 else root[some]
    weight = 1.0 / root if curves.is_sigma else root
    space, parts = curves.space, plan.parts
    params: list[Any] = [0.0] * len(space.names)
    for j in plan.held:
        params[j] = 0.0 if parts.is_linear[j] else space.fixed[space.names[j]]
    for j, column in zip(plan.where.tolist(), points.T, strict=True):
        params[j] = column[:, None]
    columns = parts.run(*(X[:, j] for j in parts.columns), *params)
    rest = columns.pop(0) if parts.has_rest else 0.0
    for position, j in plan.columns_held:
        rest = rest + space.fixed[space.names[j]] * columns[position]
    for position, _ in reversed(plan.columns_held):
        columns.pop(position)
    rows = np.empty((len(columns) + 1, len(points), len(y)))
    for row, column in zip(rows, [*columns, y - rest], strict=True):
        np.multiply(column, weight, out=row)
    return rows


def _judge(plan: _Plan, curves: Curves, span: FloatArray) -> Judge:
    root = curves.root
    return Judge(
        n_rows=curves.n_samples,
        knows_errors=root.size > 1 or float(root[0, 0]) != 1.0,
        in_order=len(span) == 1,
        features=plan.features,
        nonlinear=plan.nonlinear,
        scales=plan.is_number + (_SHORT * float(span[0])) * plan.is_place,
        scatter=curves.scatter(0),
    )


def _order(X: FloatArray) -> IntArray | None:
    """Return the order of the single feature; None if the rows are in order, or have none."""
    if X.shape[1] != 1:
        return None
    x = X[:, 0]
    return None if (x[1:] >= x[:-1]).all() else np.argsort(x, kind="stable")


@lru_cache(maxsize=64)
def _some(n: int) -> IntArray:
    """Return rows of n, unevenly spaced, so that no frequency is taken for another."""
    spread = np.random.default_rng(0).random(_ROWS)
    rows: IntArray = ((np.arange(_ROWS) + spread) * (n / _ROWS)).astype(int)
    return rows
