r"""Many descents at once; the rules of `sklsq.solvers.descent`, on arrays.

A working set of problems, small enough for the cache, takes its steps together. Those that have
ended leave it, and others take their place, so that a few slow ones hold up nobody. The model and
its derivatives are evaluated together for every trial: nine out of ten are accepted, and a second
evaluation would cost more than the tenth.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.solvers.batched_steps import Quadratics, quadratics, stacked_triangles
from sklsq.solvers.descent_rules import (
    ACCEPTABLE,
    AT_ROUNDING,
    CLOSE,
    EPS,
    INVISIBLE,
    MANY_REJECTED,
    MAX_REJECTED,
    SHORT,
    SHRINKING,
)
from sklsq.solvers.gram import gram_matrices
from sklsq.solvers.nonlinear_problem import Minima, NonlinearProblem, Outcome, Tolerances

__all__ = ["minimise_batch"]

_WORKING_SET = 2_048
_WORKING_NUMBERS = 2_000_000  # entries of the Jacobians of as many problems
_WELL_CONDITIONED = 1e-4  # smallest squared pivot of a Gram matrix as good as a QR
_GOING_ON = -1
_COMPACT = 0.75  # share still going on at which the others leave


def minimise_batch(
    problem: NonlinearProblem,
    start: FloatArray,
    curves: IntArray,
    max_iter: int,
    tolerances: Tolerances,
) -> Minima:
    """Return the minima that descents from the starts (B, k) lead to."""
    size = _working_set(problem)
    engine = _Batch(problem, tolerances, max_iter)
    numbers = np.arange(len(start))
    ended: list[_State] = []
    working, waiting = engine.begin(start[:size], curves[:size], numbers[:size]), size
    while working.cost.size:
        over, working = engine.iterate(working)
        ended.append(over)
        if waiting < len(start) and working.cost.size <= size // 2:
            fresh = slice(waiting, waiting + size - working.cost.size)
            joining = engine.begin(start[fresh], curves[fresh], numbers[fresh])
            working, waiting = _joined([working, joining]), fresh.stop
    return engine.minima(_joined(ended))


def _working_set(problem: NonlinearProblem) -> int:
    return int(
        np.clip(_WORKING_NUMBERS // (problem.n_rows * problem.n_params + 1), 2, _WORKING_SET)
    )


@dataclass(slots=True)
class _State:
    """Where the problems of the working set are; the names of `sklsq.solvers.descent`."""

    number: IntArray
    curves: IntArray
    params: FloatArray
    cost: FloatArray
    chi2: FloatArray
    gram: FloatArray
    gradient: FloatArray
    D: FloatArray
    radius: FloatArray
    before: FloatArray  # offset before an undamped step, else infinite
    offset: FloatArray
    newton: FloatArray  # u of the Gauss-Newton step
    last: FloatArray  # the undamped step that led here; NaN for none
    ratio: FloatArray
    free: BoolArray
    n_iter: IntArray
    n_rejected: IntArray
    flat: BoolArray
    finite: BoolArray
    outcome: IntArray

    def where(self, mask: BoolArray | IntArray | slice) -> _State:
        return _State(*(getattr(self, field.name)[mask] for field in fields(self)))


def _joined(states: list[_State]) -> _State:
    names = [field.name for field in fields(_State)]
    return _State(*(np.concatenate([getattr(s, name) for s in states]) for name in names))


class _Batch:
    """The rules, for one problem and its options."""

    def __init__(self, problem: NonlinearProblem, tolerances: Tolerances, max_iter: int) -> None:
        self.problem, self.tolerances, self.max_iter = problem, tolerances, max_iter
        self.box = problem.box if problem.bounded else None
        self.dof = max(problem.n_rows - problem.n_params, 1)

    def begin(self, start: FloatArray, curves: IntArray, number: IntArray) -> _State:
        """Linearise at the starts."""
        n, k = start.shape
        params = start.copy()
        cost, chi2, gram, gradient, finite = self._linearise(params, curves)
        nothing, nowhere = np.zeros(n), np.zeros((n, k))
        state = _State(
            number=number,
            curves=curves,
            params=params,
            cost=cost,
            chi2=chi2,
            gram=gram,
            gradient=gradient,
            D=nowhere,
            radius=nothing,
            before=np.full(n, np.inf),
            offset=np.full(n, np.inf),
            newton=nowhere,
            last=np.full((n, k), np.nan),
            ratio=nothing,
            free=np.ones((n, k), dtype=bool),
            n_iter=nothing.astype(int),
            n_rejected=nothing.astype(int),
            flat=np.zeros(n, dtype=bool),
            finite=finite,
            outcome=np.where(finite, _GOING_ON, int(Outcome.START_NOT_FINITE)),
        )
        self._rescale(state)
        length = _norms(state.D * params)
        state.radius = self.tolerances.reach * np.where(length > 0.0, length, 1.0)
        return state

    def iterate(self, state: _State) -> tuple[_State, _State]:
        """Return the problems that have ended, and the others after one step more."""
        held = self._held(state)
        model = self._quadratics(state, None if held is None else (held, np.zeros_like(state.D)))
        state.newton = model.newton()
        decrement = np.einsum("bi,bi->b", state.newton, model.b)
        scale = self.dof / (2.0 * state.cost * self.problem.n_params)
        state.offset = np.sqrt(np.where(decrement > 0.0, decrement * scale, 0.0))
        left = self._foresee(state, model)
        verdict = self._verdict(state, left)
        state.outcome = np.where(state.outcome == _GOING_ON, verdict, state.outcome)
        going = state.outcome == _GOING_ON
        n_going = int(np.count_nonzero(going))
        over = state.where(slice(0, 0))
        if n_going <= _COMPACT * len(going):  # else the few that have ended stay, and wait
            over, state, model = state.where(~going), state.where(going), model.where(going)
        if not n_going:
            return over, state
        return over, self._try(state, *self._steps(state, model))

    def minima(self, state: _State) -> Minima:
        """Return the ends of all descents in the order of their starts."""
        state = state.where(np.argsort(state.number))
        outcome, offset = state.outcome, state.offset
        polished = (outcome == Outcome.CONVERGED) & (offset <= self.tolerances.gtol)
        sums = state.newton / state.D / (1.0 - state.ratio[:, None])
        change = np.where(polished[:, None], sums, 0.0)
        params = self._moved(state.params, change)
        lost = outcome == Outcome.START_NOT_FINITE
        params[lost] = state.params[lost]
        return Minima(
            params=params,
            cost=np.where(lost, np.nan, state.cost),
            chi2=np.where(lost, np.nan, state.chi2),
            n_iter=state.n_iter,
            outcome=outcome,
            offset=np.where(lost, np.nan, offset),
            R=self._factors(state),
            at_bound=~state.free,
        )

    def _linearise(
        self, params: FloatArray, curves: IntArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, BoolArray]:
        """Return cost, chi2, Gram matrices, gradients, and where all of them are finite."""
        if self.problem.products is not None and self.problem.loss == "linear":
            products = self.problem.products(params, curves)
            chi2 = products[:, -1, -1].copy()
            finite = np.isfinite(products.sum(axis=(1, 2)))
            if not finite.all():
                products[~finite] = 0.0
            return 0.5 * chi2, chi2, products[:, :-1, :-1], products[:, -1, :-1], finite
        r, J = self.problem.linearise(params, curves)
        chi2 = np.einsum("bi,bi->b", r, r)
        if self.problem.loss == "linear":
            cost = 0.5 * chi2
        else:
            cost = self.problem.cost_of(r)
            r, J = self.problem.weighted(r, J)
        gram, gradient = gram_matrices(J), np.matmul(J, r[:, :, None])[:, :, 0]
        finite = np.isfinite(cost + gram.sum(axis=(1, 2)))
        if not finite.all():
            gram[~finite], gradient[~finite] = 0.0, 0.0
        return cost, chi2, gram, gradient, finite

    def _held(self, state: _State) -> BoolArray | None:
        """Return the parameters that their gradient presses on a bound; `free` is the others."""
        if self.box is None:
            return None
        at_lower, at_upper = state.params <= self.box[0], state.params >= self.box[1]
        held = (at_lower & (state.gradient < 0.0)) | (at_upper & (state.gradient > 0.0))
        state.free = ~held
        return held

    def _quadratics(self, state: _State, held: tuple[BoolArray, FloatArray] | None) -> Quadratics:
        points = state.params, state.curves
        return quadratics(self.problem, points, state.gram, state.gradient, state.D, held)

    def _foresee(self, state: _State, model: Quadratics) -> FloatArray:
        """Return the share of the offset that the next step leaves open; its ratio is set."""
        rate = np.where(state.before > 0.0, state.offset / state.before, 1.0)
        left = np.where(np.isfinite(state.before), np.minimum(rate, 1.0), 1.0)
        state.ratio = np.zeros(len(left))
        near = np.flatnonzero((state.offset <= CLOSE) & np.isfinite(state.last[:, 0]))
        if self.box is not None or not near.size:
            return left
        A, new, old = model.A[near], state.newton[near], state.last[near] * state.D[near]
        of_old = np.einsum("bij,bj->bi", A, old)
        squared = np.einsum("bi,bi->b", old, of_old)
        ratio = np.einsum("bi,bi->b", new, of_old) / squared
        rest = new - ratio[:, None] * old
        size = np.sqrt(np.einsum("bi,bij,bj->b", rest, A, rest) / squared)
        steady = (np.abs(ratio) < SHRINKING) & np.isfinite(size)
        ratio, size, near = ratio[steady], size[steady], near[steady]
        state.ratio[near] = ratio
        left[near] = size / (1.0 - np.abs(ratio))
        return left

    def _verdict(self, state: _State, left: FloatArray) -> IntArray:
        """Return outcomes, -1 for what goes on."""
        offset, tolerances = state.offset, self.tolerances
        rate = np.where(state.before > 0.0, offset / state.before, 1.0)
        rate = np.where(np.isfinite(state.before), rate, 1.0)
        arrived = state.n_rejected == 0
        polished = (offset * left <= tolerances.left) | (not tolerances.polish)
        rounding = (offset <= AT_ROUNDING) & (rate >= SHRINKING) & (state.n_iter > 0)
        length = _norms(state.D * state.params)
        hardly = (offset <= AT_ROUNDING) | (_norms(state.newton) <= SHORT * length)
        rejected = state.n_rejected
        no_way = (rejected >= MAX_REJECTED) | (state.radius <= EPS * length)
        exhausted = np.where(state.finite, int(Outcome.STALLED), int(Outcome.NOT_FINITE))
        exhausted[offset <= np.sqrt(AT_ROUNDING)] = int(Outcome.CONVERGED)
        verdict = np.where(state.n_iter >= self.max_iter, int(Outcome.MAX_ITERATIONS), _GOING_ON)
        given_up = np.where(arrived, state.flat, no_way)
        verdict[given_up] = exhausted[given_up]
        verdict[arrived & self._exact(state)] = int(Outcome.EXACT)
        ended = ((offset <= tolerances.gtol) & polished) | rounding
        verdict[np.where(arrived, ended, (rejected >= MANY_REJECTED) & hardly)] = int(
            Outcome.CONVERGED
        )
        return verdict

    def _exact(self, state: _State) -> BoolArray:
        size = state.D * np.abs(state.params)
        exact = np.sqrt(2.0 * state.cost) <= 4.0 * EPS * size.max(axis=1)
        both: BoolArray = exact | (np.abs(state.newton) <= self.tolerances.xtol * size).all(axis=1)
        return both

    def _steps(
        self, state: _State, model: Quadratics
    ) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
        """Return changes, lengths, promised reductions, and which steps are undamped."""
        free_hand = (state.offset <= AT_ROUNDING) & (state.n_rejected == 0)
        radius = np.where(free_hand, np.inf, state.radius)
        u = state.newton.copy()
        undamped = _norms(u) <= radius
        if not undamped.all():
            which = np.flatnonzero(~undamped)
            u[which] = model.damped(radius[which], which)
        if self.box is not None:
            u, undamped = self._within_bounds(state, u, radius, undamped)
            model = self._quadratics(state, None)
        change = u / state.D
        return change, _norms(u), model.reduction(u), undamped

    def _within_bounds(
        self, state: _State, u: FloatArray, radius: FloatArray, undamped: BoolArray
    ) -> tuple[FloatArray, BoolArray]:
        """Put parameters that cross a bound on it, and compute the step of the others anew."""
        assert self.box is not None
        lowest = (self.box[0] - state.params) * state.D
        highest = (self.box[1] - state.params) * state.D
        held = ~state.free
        for _ in range(u.shape[1]):
            clipped = np.clip(u, lowest, highest)
            crossing = ~held & (clipped != u)
            u = clipped
            again = np.flatnonzero(crossing.any(axis=1))
            if not again.size:
                break
            held = held | crossing
            part, fixed, moved = state.where(crossing.any(axis=1)), held[again], u[again]
            model = self._quadratics(part, (fixed, moved))
            spent = np.einsum("bi,bi->b", moved, np.where(fixed, moved, 0.0))
            rest = np.sqrt(np.maximum(radius[again] ** 2 - spent, 0.01 * radius[again] ** 2))
            step = model.newton()
            long = np.flatnonzero(_norms(step) > rest)
            if long.size:
                step[long] = model.damped(rest[long], long)
                undamped[again[long]] = False
            u[again] = np.where(fixed, moved, step)
        return np.clip(u, lowest, highest), undamped

    def _moved(self, params: FloatArray, change: FloatArray) -> FloatArray:
        moved: FloatArray = params + change
        if self.box is None:
            return moved
        lower, upper = self.box
        moved = np.where(change <= (lower - params) * (1.0 - EPS), lower, moved)
        return np.where(change >= (upper - params) * (1.0 - EPS), upper, moved)

    def _try(
        self,
        state: _State,
        change: FloatArray,
        length: FloatArray,
        promised: FloatArray,
        undamped: BoolArray,
    ) -> _State:
        """Evaluate the trial points, take those that are better, and adapt the radii."""
        trial = self._moved(state.params, change)
        cost, chi2, gram, gradient, state.finite = self._linearise(trial, state.curves)
        state.radius = np.where(state.n_iter == 0, np.minimum(state.radius, length), state.radius)
        going = state.outcome == _GOING_ON
        state.n_iter = state.n_iter + going
        fall = np.where(state.finite, state.cost - cost, -np.inf)
        gain = np.where(promised > 0.0, fall / promised, np.nan)
        invisible = undamped & (promised <= INVISIBLE * state.cost)
        better = (
            going
            & state.finite
            & ((gain >= ACCEPTABLE) | (invisible & (-fall <= INVISIBLE * state.cost)))
        )
        slope = np.einsum("bi,bi->b", state.gradient, change)
        radius = _next_radii(state.radius, length, gain, slope, -fall, undamped)
        state.radius = np.where(invisible & better, state.radius, radius)
        tiny = promised <= self.tolerances.ftol * state.cost
        state.flat = better & ~undamped & tiny
        state.before = np.where(better, np.where(undamped, state.offset, np.inf), state.before)
        taken = np.where(undamped[:, None], change, np.nan)
        state.last = np.where(better[:, None], taken, state.last)
        state.n_rejected = np.where(better, 0, state.n_rejected + going)
        state.params = np.where(better[:, None], trial, state.params)
        state.cost, state.chi2 = np.where(better, (cost, chi2), (state.cost, state.chi2))
        state.gram = np.where(better[:, None, None], gram, state.gram)
        state.gradient = np.where(better[:, None], gradient, state.gradient)
        self._rescale(state)
        return state

    def _rescale(self, state: _State) -> None:
        """Let the scales grow with the columns of the Jacobian."""
        state.D = np.maximum(state.D, np.sqrt(np.einsum("bii->bi", state.gram)))
        state.D[state.D == 0.0] = 1.0

    def _factors(self, state: _State) -> FloatArray:
        """Return R (B, k, k): from the Gram matrix where that is as good, else by QR."""
        norms = np.sqrt(np.einsum("bii->bi", state.gram))
        norms[norms == 0.0] = 1.0
        scaled = state.gram / norms[:, :, None] / norms[:, None]
        R = np.full_like(state.gram, np.nan)
        known = state.outcome != Outcome.START_NOT_FINITE
        good: BoolArray = known & (np.linalg.eigvalsh(scaled)[:, 0] > _WELL_CONDITIONED)
        R[good] = np.linalg.cholesky(scaled[good]).swapaxes(1, 2) * norms[good, None, :]
        rest, size = np.flatnonzero(known & ~good), _working_set(self.problem)
        for first in range(0, len(rest), size):
            part = rest[first : first + size]
            R[part], _ = stacked_triangles(self.problem, state.params[part], state.curves[part])
        return R


def _norms(rows: FloatArray) -> FloatArray:
    norms: FloatArray = np.sqrt(np.einsum("bi,bi->b", rows, rows))
    return norms


def _next_radii(
    radius: FloatArray,
    length: FloatArray,
    gain: FloatArray,
    slope: FloatArray,
    rise: FloatArray,
    undamped: BoolArray,
) -> FloatArray:
    """Return the radii after a step; see `sklsq.solvers.trust_region.next_radius`."""
    vertex = np.where(np.isfinite(rise), np.maximum(0.5 * slope / (slope + rise), 0.1), 0.1)
    shrunk = np.where(rise <= 0.0, 0.5, vertex) * np.minimum(radius, 10.0 * length)
    grown = (gain >= 0.75) | (undamped & (gain > 0.25))
    return np.where(grown, 2.0 * length, np.where(gain > 0.25, radius, shrunk))
