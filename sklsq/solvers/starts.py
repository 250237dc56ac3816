r"""Descents from many starts: the global side of nonlinear least squares.

A sum of squares has many minima, and no test tells the lowest from the others. What helps is to
begin in many places, and to make places cheap:

1. *scan*: the cost of every candidate, at the best linear parameters
   (`sklsq.solvers.variable_projection`), so that only the nonlinear ones need candidates; on a
   sample of the rows where there are many;
2. *pick*: the best ones that are apart from each other, measured by their ranks among the
   candidates, which needs no scale for any parameter;
3. *refine*: a few steps of all that were picked, as one batch;
4. *finish*: full descents of the best few;
5. *vary*: where the minima found differ, the next candidates are the best of them with some of the
   parameters taken from the first candidates (one of two peaks is often in its place), and so on
   while that finds a lower minimum.

Different minima are reported with their costs: two of the same cost are a tie, such as the two
orders of the terms of a sum of exponentials. Which of
them comes first `sklsq.solvers.lowest` tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import dual_annealing

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.solvers.levenberg_marquardt import minimise
from sklsq.solvers.lowest import (
    SAME_COST,
    by_cost,
    different,
    is_same,
    lowest_of,
    ordered,
    representable,
)
from sklsq.solvers.nonlinear_problem import Minima, NonlinearProblem, Tolerances
from sklsq.solvers.symmetries import turned
from sklsq.solvers.variable_projection import Projection, minimise_separable, project

__all__ = [
    "StartSearch",
    "anneal",
    "distinct",
    "grid",
    "is_lower_elsewhere",
    "multistart",
    "search",
    "search_each",
]

_SCANNED_ROWS = 1_000
_BATCH_NUMBERS = 400_000  # entries of the Jacobians held at a time
_APART = 0.04  # of the ranks, root mean square over the parameters
_ROUGHLY = Tolerances(gtol=1e-2, polish=False, reach=1.0)
_NEARLY = Tolerances(gtol=1e-4, polish=False)
_HUNTED_STEPS = 50  # before it is known which minimum is the lowest
_POLISHED = 8  # minima that are followed to their ends
_MANY = 3  # nonlinear parameters from which on candidates are varied
_REFINED, _REFINED_OF_MANY = 48, 128
_PARENTS = 4
_PATIENCE = 3  # rounds without success
_CLEARLY_LOWER = 1e-3  # relative difference of costs
_JUDGED = 16  # candidates that are looked at under a robust loss


@dataclass(frozen=True)
class StartSearch:
    """What a search found.

    Parameters
    ----------
    minima : Minima
        The different minima, by cost.
    tied : ndarray of bool of shape (M,)
        Minima other than the first with the same cost as the first.
    n_candidates : int
        Starts looked at.
    """

    minima: Minima
    tied: BoolArray
    n_candidates: int

    @property
    def best(self) -> Minima:
        """The minimum of lowest cost."""
        return self.minima.where(slice(0, 1))


def search(
    problem: NonlinearProblem,
    candidates: FloatArray,
    *,
    linear: BoolArray | None = None,
    curve: int = 0,
    n_refined: int | None = None,
    n_finished: int = 8,
    n_steps: int = 15,
    n_rounds: int = 6,
    max_iter: int = 1_000,
    tolerances: Tolerances | None = None,
) -> StartSearch:
    """Return the minima reached from candidates.

    Parameters
    ----------
    problem : NonlinearProblem
        Model and data.
    candidates : ndarray of shape (S, k)
        Starts; the values of linear parameters do not matter.
    linear : ndarray of bool of shape (k,), optional
        Parameters that enter linearly.
    curve : int
        The curve.
    n_refined, n_steps : int
        How many candidates are refined (48, or 128 of three or more nonlinear parameters, by
        default), and by how many steps.
    n_finished : int
        How many of them are finished.
    n_rounds : int
        Most rounds of varied candidates, for three nonlinear parameters or more.
    max_iter, tolerances
        Of the last descents.

    Returns
    -------
    StartSearch
    """
    mask = np.zeros(problem.n_params, dtype=bool) if linear is None else linear
    many = bool(np.sum(~mask) >= _MANY)
    numbers = n_refined or (_REFINED_OF_MANY if many else _REFINED), n_steps, n_finished
    hunt = _Hunt(problem, mask, curve, numbers, max_iter)
    found, n_seen = hunt.run(candidates), len(candidates)
    if many and len(candidates) > 1:
        found, n_seen = _after_rounds(hunt, found, candidates, n_rounds)
    return distinct([_polished(problem, mask, found, curve, max_iter, tolerances)], n_seen)


def distinct(parts: Sequence[Minima], n_candidates: int) -> StartSearch:
    """Return the different ones of the minima that candidates led to, by cost."""
    first = parts[0]
    parts = [first, *(part for part in parts[1:] if not is_same(first, part))]
    found = first if len(parts) == 1 else Minima.joined(parts)
    if len(found.cost) == 1:
        return StartSearch(representable(found), np.zeros(1, dtype=bool), n_candidates)
    found = ordered(found)
    tied = lowest_of(found)[0]
    tied[0] = False
    return StartSearch(representable(found), tied, n_candidates)


def _after_rounds(
    hunt: _Hunt, found: Minima, candidates: FloatArray, n_rounds: int
) -> tuple[Minima, int]:
    """Return the minima after rounds of varied candidates, and how many candidates there were."""
    rng, in_vain, n_seen = np.random.default_rng(0), 0, len(candidates)
    for _ in range(n_rounds):
        varied = _varied(found.params, candidates, ~hunt.linear, rng)
        n_seen += len(varied)
        before = found.cost[0]
        found = ordered(Minima.joined([found, hunt.run(varied)]))
        in_vain = 0 if found.cost[0] < before * (1.0 - SAME_COST) else in_vain + 1
        if in_vain == _PATIENCE:
            break
    return found, n_seen


@dataclass(frozen=True)
class _Hunt:
    """The steps from candidates to finished descents of one curve."""

    problem: NonlinearProblem
    linear: BoolArray
    curve: int
    numbers: tuple[int, int, int]
    max_iter: int

    def run(self, candidates: FloatArray) -> Minima:
        """Return the different minima, by cost."""
        n_refined, n_steps, n_finished = self.numbers
        curves = np.full(len(candidates), self.curve)
        projection, rough = _scanned(self.problem, self.linear)
        alpha = candidates[:, ~rough.linear]
        picked = _picked(alpha, _costs(rough.problem, alpha, curves), n_refined)
        refined = _refined(rough, alpha[picked], curves[: len(picked)], n_steps)
        order = different(refined.params, refined.cost, by_cost(refined.cost))[:n_finished]
        starts = candidates[picked[order]]
        starts[:, ~rough.linear] = refined.params[order]
        which = curves[: len(order)]
        n_steps = min(self.max_iter, _HUNTED_STEPS)
        found = _finished(self.problem, projection.linear, starts, which, n_steps, _NEARLY)
        return ordered(found)


def _polished(
    problem: NonlinearProblem,
    linear: BoolArray,
    found: Minima,
    curve: int,
    max_iter: int,
    tolerances: Tolerances | None,
) -> Minima:
    """Return the ends of full descents from the best of the minima found roughly, and the rest."""
    best = found.where(slice(0, _POLISHED))
    which = np.full(len(best.cost), curve)
    ends = minimise(problem, best.params, curves=which, max_iter=max_iter, tolerances=tolerances)
    ends = replace(ends, n_iter=ends.n_iter + best.n_iter)
    every = Minima.joined([ends, found.where(slice(_POLISHED, None))])
    return turned(problem, every, np.full(len(every.cost), curve), linear)


def _varied(
    minima: FloatArray, candidates: FloatArray, nonlinear: BoolArray, rng: np.random.Generator
) -> FloatArray:
    """Return the best minima with some of the nonlinear parameters taken from candidates."""
    varied = np.repeat(minima[:_PARENTS], -(-len(candidates) // _PARENTS), axis=0)
    donors = candidates[rng.integers(0, len(candidates), len(varied))]
    places = np.flatnonzero(nonlinear)
    chance = rng.random((len(varied), len(places)))
    ranked = np.argsort(np.argsort(chance, axis=1), axis=1)
    replaced = ranked < 1 + (np.arange(len(varied)) % (len(places) - 1))[:, None]
    varied[:, places] = np.where(replaced, donors[:, places], varied[:, places])
    return varied


def search_each(
    problem: NonlinearProblem,
    candidates: FloatArray,
    curves: IntArray,
    *,
    linear: BoolArray | None = None,
    n_refined: int = 3,
    n_steps: int = 8,
    max_iter: int = 1_000,
    tolerances: Tolerances | None = None,
) -> Minima:
    """Return the best minimum of each of C curves reached from candidates.

    Parameters
    ----------
    problem, linear, n_steps, max_iter, tolerances
        As in `search`.
    candidates : ndarray of shape (S, k) or (C, S, k)
        Starts, the same for all curves or of each its own.
    curves : ndarray of int of shape (C,)
        The curves.
    n_refined : int
        Candidates refined for each curve.

    Returns
    -------
    Minima
        One for each curve.
    """
    n_curves, (S, k) = len(curves), candidates.shape[-2:]
    each = np.broadcast_to(candidates, (n_curves, S, k))
    projection, rough = _scanned(problem, linear)
    n_refined = min(n_refined, S)
    if problem.alike and candidates.ndim == 2:
        alpha = np.clip(candidates[:, ~rough.linear], *rough.problem.box)
        with np.errstate(all="ignore"):
            costs = rough.scan(alpha, curves)
    else:
        flat = each.reshape(-1, k)
        costs = _costs(rough.problem, flat[:, ~rough.linear], np.repeat(curves, S))
    best = np.argsort(costs.reshape(n_curves, S), axis=1)[:, :n_refined]
    starts = np.take_along_axis(each, best[:, :, None], axis=1).reshape(-1, k)
    alpha = starts[:, ~rough.linear]
    if n_refined > 1:
        refined = _refined(rough, alpha, np.repeat(curves, n_refined), n_steps)
        cost = np.where(np.isnan(refined.cost), np.inf, refined.cost)
        first = np.argmin(cost.reshape(n_curves, n_refined), axis=1)
        rows = first + n_refined * np.arange(n_curves)
        starts = starts[rows]
        starts[:, ~rough.linear] = refined.params[rows]
    minima = _finished(problem, projection.linear, starts, curves, max_iter, tolerances)
    return representable(turned(problem, minima, curves, projection.linear))


def is_lower_elsewhere(
    problem: NonlinearProblem,
    params: FloatArray,
    candidates: FloatArray,
    curves: IntArray,
    *,
    linear: BoolArray | None = None,
) -> BoolArray:
    """Return for which of C curves a mere candidate has a lower cost than their minimum.

    Parameters
    ----------
    problem : NonlinearProblem
        Model and data.
    params : ndarray of shape (C, k)
        The minima.
    candidates : ndarray of shape (S, k)
        Points to look at, at their best linear parameters: in the sense of least squares, the best
        few of which are looked at under a robust loss.
    curves : ndarray of int of shape (C,)
        The curves.
    linear : ndarray of bool of shape (k,), optional
        Parameters that enter linearly.
    """
    _, rough = _scanned(problem, linear)
    alpha = np.clip(candidates[:, ~rough.linear], *rough.problem.box)
    with np.errstate(all="ignore"):
        if problem.alike:
            costs = rough.scan(alpha, curves)
        else:
            numbers = np.full((len(alpha), len(curves)), curves).T
            costs = np.array([_costs(rough.problem, alpha, number) for number in numbers])
        judged = replace(rough.full, loss=problem.loss)
        reached = judged.costs(params, curves)
        if problem.loss == "linear":
            lowest = costs.min(axis=1)
        else:
            best = np.argsort(costs, axis=1)[:, :_JUDGED]
            each = np.repeat(curves, best.shape[1])
            points = rough.complete(alpha[best.ravel()], each)
            under = judged.costs(points, each)
            lowest = np.where(np.isnan(under), np.inf, under).reshape(best.shape).min(axis=1)
    lower: BoolArray = lowest < reached * (1.0 - _CLEARLY_LOWER)
    return lower


def grid(lower: FloatArray, upper: FloatArray, n_points: int) -> FloatArray:
    """Return about `n_points` candidates (S, k) on a grid over a box, its edges left out."""
    k = len(lower)
    per_axis = max(round(n_points ** (1.0 / max(k, 1))), 1)
    axis = (np.arange(per_axis) + 0.5) / per_axis
    unit = np.stack(np.meshgrid(*[axis] * k, indexing="ij"), axis=-1).reshape(-1, k)
    candidates: FloatArray = lower + (upper - lower) * unit
    return candidates


def multistart(
    lower: FloatArray, upper: FloatArray, n_points: int, rng: np.random.Generator
) -> FloatArray:
    """Return `n_points` candidates (S, k) spread evenly over a box.

    They are an additive recurrence with powers of the generalised golden ratio (Roberts 2018).
    """
    ratio, k = 1.0, len(lower)
    for _ in range(60):
        ratio = (1.0 + ratio) ** (1.0 / (k + 1))
    steps = ratio ** -np.arange(1.0, k + 1)
    unit = (rng.random(k) + np.outer(np.arange(n_points), steps)) % 1.0
    candidates: FloatArray = lower + (upper - lower) * unit
    return candidates


def anneal(
    problem: NonlinearProblem,
    box: tuple[FloatArray, FloatArray],
    rng: np.random.Generator,
    *,
    linear: BoolArray | None = None,
    curve: int = 0,
    max_evaluations: int = 5_000,
) -> FloatArray:
    """Return the best point (1, k) that dual annealing finds in a box.

    Parameters
    ----------
    problem, linear, curve
        As in `search`.
    box : tuple of ndarray of shape (k,)
        Finite lower and upper ends of every parameter; those of linear ones do not matter.
    rng : numpy.random.Generator
        Source of randomness.
    max_evaluations : int
        Of the cost.
    """
    _, rough = _scanned(problem, linear)
    reduced, where = rough.problem, ~rough.linear
    curves = np.array([curve])

    def cost(alpha: FloatArray) -> float:
        value = float(reduced.costs(alpha[None], curves)[0])
        return value if np.isfinite(value) else 1e300

    with np.errstate(all="ignore"):
        found = dual_annealing(
            cost,
            list(zip(box[0][where], box[1][where], strict=True)),
            maxfun=max_evaluations,
            no_local_search=True,
            seed=int(rng.integers(2**31)),
        )
        return rough.complete(np.asarray(found.x)[None], curves)


def _scanned(problem: NonlinearProblem, linear: BoolArray | None) -> tuple[Projection, Projection]:
    """Return the projections of all rows and of the rows to be scanned."""
    mask = np.zeros(problem.n_params, dtype=bool) if linear is None else linear
    plain = replace(problem, loss="linear")
    full, every = project(plain, mask), problem.n_rows // _SCANNED_ROWS
    if every <= 1 or problem.take is None:
        return full, full
    sample = replace(problem.take(slice(0, problem.n_rows, every)), loss="linear")
    return full, project(sample, mask)


def _costs(problem: NonlinearProblem, points: FloatArray, curves: IntArray) -> FloatArray:
    """Return the costs (S,); infinite where they do not exist or a bound is violated."""
    lower, upper = problem.box
    size = int(np.clip(_BATCH_NUMBERS // (problem.n_rows * (problem.n_params + 2)), 1, 512))
    costs = np.empty(len(points))
    with np.errstate(all="ignore"):
        for first in range(0, len(points), size):
            part = slice(first, first + size)
            costs[part] = problem.costs(np.clip(points[part], lower, upper), curves[part])
    costs[~np.isfinite(costs)] = np.inf
    return costs


def _picked(points: FloatArray, costs: FloatArray, n_picked: int) -> IntArray:
    """Return the numbers of the best candidates that are apart, then of the best others."""
    order = np.argsort(costs, kind="stable")
    order = order[np.isfinite(costs[order])]
    if not order.size or not points.shape[1]:
        return np.arange(1)
    ranks = np.argsort(np.argsort(points, axis=0, kind="stable"), axis=0) / len(points)
    picked: list[int] = []
    for number in order:
        distance = ranks[picked] - ranks[number]
        if not picked or np.min(np.mean(distance**2, axis=1)) > _APART**2:
            picked.append(int(number))
            if len(picked) == n_picked:
                break
    others = [int(number) for number in order[:n_picked] if number not in picked]
    return np.array((picked + others)[:n_picked])


def _refined(rough: Projection, alpha: FloatArray, curves: IntArray, n_steps: int) -> Minima:
    """Return where a few steps of the projected problem lead to."""
    if alpha.shape[1]:
        return minimise(rough.problem, alpha, curves=curves, max_iter=n_steps, tolerances=_ROUGHLY)
    with np.errstate(all="ignore"):
        cost = rough.problem.costs(alpha, curves)
    nothing = np.zeros(len(alpha))
    codes, none = nothing.astype(int), np.zeros((len(alpha), 0, 0))
    return Minima(alpha, cost, 2.0 * cost, codes, codes, nothing, none, alpha.astype(bool))


def _finished(
    problem: NonlinearProblem,
    linear: BoolArray,
    starts: FloatArray,
    curves: IntArray,
    max_iter: int,
    tolerances: Tolerances | None,
) -> Minima:
    """Return full descents, projected where that is possible and pays."""
    if linear.any() and problem.loss == "linear" and problem.n_rows <= _SCANNED_ROWS * 30:
        return minimise_separable(
            problem, starts, linear, curves=curves, max_iter=max_iter, tolerances=tolerances
        )
    _, rough = _scanned(problem, linear)
    complete = rough.complete(starts[:, ~linear], curves)
    lost = ~np.isfinite(complete).all(axis=1)
    complete[lost] = starts[lost]
    return minimise(problem, complete, curves=curves, max_iter=max_iter, tolerances=tolerances)
