"""Where a nonlinear fit begins: the starts a user gives, and those that are found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from scipy.linalg import solve_triangular
from sklearn.utils import check_random_state

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.estimators._curves import Curves
from sklsq.estimators._quick_look import quick_look
from sklsq.estimators._scatter import UNEXPLAINED, robust_scatters, scatters
from sklsq.estimators._signs import turned, wanted_signs
from sklsq.models import generic_candidates, linear_parameters
from sklsq.models.candidates import nonlinear_candidates
from sklsq.solvers.descent import Reached
from sklsq.solvers.levenberg_marquardt import minimise
from sklsq.solvers.nonlinear_problem import Minima, NonlinearProblem, Outcome, Tolerances
from sklsq.solvers.rounding import ROUNDING, dispensable, may_be_exact, without_rounding
from sklsq.solvers.starts import (
    StartSearch,
    anneal,
    grid,
    is_lower_elsewhere,
    multistart,
    search,
    search_each,
)
from sklsq.solvers.variable_projection import minimise_separable

__all__ = ["STARTS", "Search", "given_start", "nothing_free"]

_FOR_EACH = 400  # generic candidates for each of many curves that are not alike
_WORTH_A_LOOK = 200  # candidates from which on few of them may be enough
_SCOUTS = 256  # candidates looked at then, if each comes with its best linear parameters
STARTS = ("auto", "p0", "grid", "multistart", "anneal")


def given_start(p0: Any, names: tuple[str, ...]) -> FloatArray | None:
    """Return the start a user gives as an array (m,), NaN for parameters it leaves open.

    Parameters
    ----------
    p0 : None, mapping of str to float, or array_like of shape (m,)
    names : tuple of str
        The m parameters.

    Raises
    ------
    ValueError
        If a name is unknown, the length is not m, or a value is not a finite number.
    """
    if p0 is None:
        return None
    if isinstance(p0, Mapping):
        start = np.full(len(names), np.nan)
        for name, value in p0.items():
            if name not in names:
                raise ValueError(
                    f"`p0` must name parameters of the model: {', '.join(names)}. Got {name!r}."
                )
            number = _as_float(value)
            if not np.isfinite(number):
                raise ValueError(f"`p0` of {name!r} must be a finite number. Got {value!r}.")
            start[names.index(name)] = number
        return start
    if isinstance(p0, np.ndarray) and p0.dtype == np.float64:
        start = p0.flatten()
    elif type(p0) in (list, tuple) and all(type(value) in (float, int) for value in p0):
        start = np.array(p0, dtype=np.float64)
    else:
        start = np.array([_as_float(value) for value in np.ravel(p0)])
    if len(start) != len(names):
        raise ValueError(
            f"`p0` must have one value for each of the {len(names)} parameters "
            f"{', '.join(names)}. Got {len(start)} values."
        )
    if not all(map(math.isfinite, start.tolist())):
        raise ValueError(f"`p0` must hold finite numbers. Got {p0!r}.")
    return start


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


@dataclass(frozen=True)
class Search:
    """How the minima of some curves are looked for.

    Parameters
    ----------
    curves : Curves
        Data and model.
    problem : NonlinearProblem
        Of these curves.
    strategy : str
        One of `STARTS`.
    n_starts : int
        Number of candidates.
    random_state : int or None
        Seed of the candidates; None is 0.
    max_iter : int
    tolerances : Tolerances
    """

    curves: Curves
    problem: NonlinearProblem
    strategy: str
    n_starts: int
    random_state: int | None
    max_iter: int
    tolerances: Tolerances

    def run(
        self, start: FloatArray | None, which: IntArray, begun: Minima | Reached | None = None
    ) -> tuple[Minima, Minima, BoolArray]:
        """Return the best minimum of each curve, all minima found of the first, and its ties.

        Parameters
        ----------
        start : ndarray of shape (k,) or None
            The user's, in the free parameters, NaN where it leaves one open.
        which : ndarray of int of shape (t,)
            The curves.
        begun : Minima or Reached, optional
            Where the descent from the start of a single curve has led to.
        """
        minima = None
        if (
            start is not None
            and self.strategy in ("auto", "p0")
            and all(map(math.isfinite, start.tolist()))
        ):
            begin = start[None] if len(which) == 1 else np.repeat(start[None], len(which), axis=0)
            minima = begun if isinstance(begun, Minima) else self._descend(begin, which, begun)
            if (
                int(minima.outcome.max()) <= Outcome.EXACT
                and np.diagonal(minima.R, 0, 1, 2).all()
                and not self._poor(minima, which).any()
            ):
                minima = self._tidied(minima, start, which)
                return minima, minima, np.zeros(len(which), dtype=bool)
        with np.errstate(all="ignore"):  # here, since threads start with the usual state
            best, every, tied = self._run(start, which, minima)
            return self._tidied(best, start, which), every, tied

    def _run(
        self, start: FloatArray | None, which: IntArray, minima: Minima | None
    ) -> tuple[Minima, Minima, BoolArray]:
        """Go on where the user's start, which led to `minima`, was none or not enough."""
        if minima is not None:
            minima = stalled_where_flat(minima)
            lost = ~minima.converged | _dead(minima)
            if self.strategy == "auto":
                lost |= self._misled(minima, which)
            if self.strategy == "p0" or not lost.any():
                return minima, minima, np.zeros(len(which), dtype=bool)
            found, every, tied = self._look(start, which[lost])
            better = found.converged & (~minima.converged[lost] | (found.cost < minima.cost[lost]))
            better |= found.cost < minima.cost[lost]
            best = _replaced(minima, np.flatnonzero(lost), found, better)
            return (best, every, tied) if len(which) == 1 else (best, best, np.zeros(0, dtype=bool))
        quick = self._quick(start)
        if quick is not None:
            return quick.best, quick.minima, quick.tied
        found, every, tied = self._look(start, which)
        return stalled_where_flat(found), every, tied

    def _quick(self, start: FloatArray | None) -> StartSearch | None:
        """Return the minima of a quick look, if that is enough."""
        if self.strategy != "auto" or start is not None or self.n_starts < _WORTH_A_LOOK:
            return None
        seed = self.random_state or 0
        return quick_look(self.curves, self.problem, seed, self.max_iter, self.tolerances)

    def _poor(self, minima: Minima, which: IntArray) -> BoolArray:
        """Return which minima (t,) explain less than half of the scatter of their data.

        A descent may end there because the start was too far from the data: a rate at which
        everything is over before the first point, a peak beside them all.
        """
        if self.strategy != "auto":
            return np.zeros(len(which), dtype=bool)
        curves, problem = self.curves, self.problem
        left, plain = 2.0 * minima.cost, problem.loss == "linear"
        if plain and len(which) == 1 and curves.cholesky is None and not curves.priors.any():
            scatter = np.array([curves.scatter(int(which[0]))])
        else:
            given = self._independent(which)
            if plain:
                scatter = scatters(*given)
            else:
                scatter = 2.0 * robust_scatters(*given, problem.loss, problem.f_scale)
        poor: BoolArray = left > UNEXPLAINED * scatter
        if poor.any():  # points on a constant leave nothing to be explained
            poor &= left > (ROUNDING * self._sizes(which)) ** 2
        return poor

    def _independent(self, which: IntArray) -> tuple[FloatArray, FloatArray, IntArray]:
        """Return values and 1/σ of curves, and which they are; of correlated ones, the whitened."""
        curves = self.curves
        if curves.cholesky is None:
            return curves.Y, curves.weight, which
        ones = np.ones_like(curves.Y)
        y, w = solve_triangular(curves.cholesky, np.concatenate([curves.Y, ones]).T, lower=True).T
        usable = w != 0.0
        return np.where(usable, y / np.where(usable, w, 1.0), 0.0)[None], np.abs(w)[None], which

    def _sizes(self, which: IntArray) -> FloatArray:
        """Return the lengths (t,) of the whitened data."""
        Y, weight, _ = self._independent(which)
        w = weight[which] if len(weight) > 1 else weight
        sizes: FloatArray = np.sqrt(np.square(Y[which] * w).sum(axis=1))
        return sizes

    def _misled(self, minima: Minima, which: IntArray) -> BoolArray:
        """Return which poor minima (t,) are not the lowest for certain, by a look elsewhere."""
        misled = self._poor(minima, which) & minima.converged
        places = np.flatnonzero(misled)
        if not places.size:
            return misled
        candidates = self._candidates(None, which[places], self._generator())
        tied = bool(self.curves.space.tied)
        linear = self._unbounded(self._enters_linearly(candidates) & (not tied))
        if linear.all():
            return np.zeros_like(misled)
        misled[places] = is_lower_elsewhere(
            self.problem,
            minima.params[places],
            candidates[:_SCOUTS] if linear.any() else candidates,
            which[places],
            linear=linear,
        )
        return misled

    def _tidied(self, minima: Minima, start: FloatArray | None, which: IntArray) -> Minima:
        """Return minima with the signs of the start, and without terms that are rounding."""
        minima = turned(self.problem, minima, which, wanted_signs(start, minima.params.shape[1]))
        rows = np.flatnonzero(may_be_exact(minima))
        if not rows.size:
            return minima
        sizes = self._sizes(which[rows])
        few = dispensable(minima.where(rows), sizes).any(axis=1)
        rows, sizes = rows[few], sizes[few]
        if not rows.size:
            return minima
        linear = self._enters_linearly(self._candidates(None, which[rows[:1]], self._generator()))
        found = minima.where(rows)
        tidy = without_rounding(self.problem, found, which[rows], sizes, linear)
        return _replaced(minima, rows, tidy, np.ones(len(rows), dtype=bool))

    def _generator(self) -> np.random.Generator:
        """Return a source of randomness, the same for every part of the curves."""
        state = check_random_state(0 if self.random_state is None else self.random_state)
        return np.random.default_rng(state.randint(2**31))

    def _descend(self, start: FloatArray, which: IntArray, reached: Reached | None) -> Minima:
        return minimise(
            self.problem,
            start,
            curves=which,
            max_iter=self.max_iter,
            tolerances=self.tolerances,
            reached=reached,
        )

    def _look(self, start: FloatArray | None, which: IntArray) -> tuple[Minima, Minima, BoolArray]:
        """Return minima reached from candidates."""
        rng = self._generator()
        candidates = self._candidates(start, which, rng)
        linear = self._linear(candidates)
        if self.strategy == "auto" and not linear.all():
            self._redraw(candidates[-self.n_starts :], linear, start, which, rng)
        options: Any = {
            "linear": linear,
            "max_iter": self.max_iter,
            "tolerances": self.tolerances,
        }
        if linear.all():
            begin = np.repeat(candidates[:1], len(which), axis=0)
            minima = minimise_separable(self.problem, begin, curves=which, **options)
            return minima, minima, np.zeros(len(which), dtype=bool)
        if len(which) == 1:
            if self.strategy == "anneal":
                box = self._box(candidates)
                best = anneal(self.problem, box, rng, linear=linear, curve=int(which[0]))
                candidates = np.concatenate([best, candidates[:8]])
            found = search(self.problem, candidates, curve=int(which[0]), **options)
            return found.best, found.minima, found.tied
        n_known = len(candidates) - self.n_starts
        n_generic = self.n_starts if self.problem.alike else min(self.n_starts, _FOR_EACH)
        some = candidates[: n_known + n_generic]
        minima = search_each(self.problem, some, which, **options)
        return minima, minima, np.zeros(len(which), dtype=bool)

    def _redraw(
        self,
        candidates: FloatArray,
        linear: BoolArray,
        start: FloatArray | None,
        which: IntArray,
        rng: np.random.Generator,
    ) -> None:
        """Draw the generic candidates anew where they matter, by the dimensions of parameters."""
        curves = self.curves
        drawn = np.flatnonzero(~linear if start is None else ~linear & ~np.isfinite(start))
        if not len(drawn):
            return
        known = np.ones(len(curves.space.names), dtype=bool)
        known[curves.space.free[drawn]] = False
        y = curves.Y[which].mean(axis=0)
        lower, upper = curves.space.box
        candidates[:, drawn] = np.clip(
            nonlinear_candidates(curves.model, curves.X, y, known, rng, len(candidates)),
            lower[drawn],
            upper[drawn],
        )

    def _linear(self, candidates: FloatArray) -> BoolArray:
        """Return the free parameters (k,) that enter linearly; none under ties or a robust loss."""
        if self.curves.space.tied or self.problem.loss != "linear":
            return np.zeros(candidates.shape[1], dtype=bool)
        return self._unbounded(self._enters_linearly(candidates))

    def _enters_linearly(self, candidates: FloatArray) -> BoolArray:
        """Return the free parameters (k,) in which the model is linear, apart from ties."""
        space = self.curves.space
        samples = space.expand(candidates[: min(len(candidates), 12)])
        linear: BoolArray = linear_parameters(self.curves.model, self.curves.X, samples)[space.free]
        return linear

    def _unbounded(self, linear: BoolArray) -> BoolArray:
        lower, upper = self.curves.space.box
        free: BoolArray = linear & np.isinf(lower) & np.isinf(upper)
        return free

    def _candidates(
        self, start: FloatArray | None, which: IntArray, rng: np.random.Generator
    ) -> FloatArray:
        """Return candidates (S, k), first those that know most."""
        curves, k = self.curves, len(self.curves.space.free)
        y = curves.Y[which].mean(axis=0) if len(which) > 1 else curves.Y[which[0]]
        X = curves.X
        generic = generic_candidates(X, y, k, rng, self.n_starts)
        if self.strategy in ("grid", "multistart"):
            lower, upper = self._box(generic)
            if self.strategy == "grid":
                generic = grid(lower, upper, self.n_starts)
            else:
                generic = multistart(lower, upper, self.n_starts, rng)
        known = curves.model.candidates(X, y) if self.strategy == "auto" else None
        parts = [generic] if known is None else [known[:, curves.space.free], generic]
        candidates = np.concatenate(parts)
        if start is not None:
            given = np.isfinite(start)
            candidates[:, given] = np.where(
                self._near(len(candidates))[:, None], start[given], candidates[:, given]
            )
        inside: FloatArray = np.clip(candidates, *curves.space.box)
        return inside

    def _near(self, n: int) -> BoolArray:
        """Return which candidates take over what the user gave: every other one."""
        near: BoolArray = np.arange(n) % 2 == 0
        return near

    def _box(self, candidates: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return a finite box: the bounds, or the middle nine tenths of generic candidates."""
        lower, upper = self.curves.space.box
        low, high = np.quantile(candidates, [0.05, 0.95], axis=0)
        low, high = (
            np.where(np.isfinite(lower), lower, low),
            np.where(np.isfinite(upper), upper, high),
        )
        return low, np.where(high > low, high, low + 1.0)


def stalled_where_flat(minima: Minima) -> Minima:
    """Return minima with those not converged where no parameter moves the model at all."""
    moved = minima.R.any(axis=(1, 2)) | minima.at_bound.any(axis=1)
    where = minima.converged & (minima.cost > 0.0) & ~moved
    return replace(minima, outcome=np.where(where, int(Outcome.STALLED), minima.outcome))


def _replaced(minima: Minima, rows: IntArray, others: Minima, better: BoolArray) -> Minima:
    """Return minima (t,) with those others (r,), meant for some rows (r,), that are better."""
    order = np.arange(len(minima.cost))
    order[rows[better]] = len(order) + np.flatnonzero(better)
    return Minima.joined([minima, others]).where(order)


def _dead(minima: Minima) -> BoolArray:
    """Return which minima (B,) have a free parameter that does not move the model."""
    return cast(BoolArray, (~minima.R.any(axis=1) & ~minima.at_bound).any(axis=1))


def nothing_free(problem: NonlinearProblem, t: int) -> Minima:
    """Return the "minima" of curves whose parameters are all held."""
    free, which = np.empty((t, 0)), np.arange(t)
    residuals = problem.evaluate(free, which)
    return Minima(
        free,
        problem.cost_of(residuals),
        np.einsum("ij,ij->i", residuals, residuals),
        np.zeros(t, dtype=int),
        np.zeros(t, dtype=int),
        np.zeros(t),
        np.empty((t, 0, 0)),
        np.empty((t, 0), dtype=bool),
    )
