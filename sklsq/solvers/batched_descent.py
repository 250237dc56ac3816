r"""Many descents at once; the rules of `sklsq.solvers.descent`, on arrays.

A working set of problems takes its steps together. Those that have ended leave it, and others take
their place, so that a few slow ones hold up nobody. The model and its derivatives are evaluated
together for every trial: nine out of ten are accepted, and a second evaluation would cost more than
the tenth.

The batch is the last axis of every array: what is done to an entry of all matrices, or to a
parameter of all problems, runs along memory.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.solvers.batched_steps import (
    Quadratics,
    problems_held,
    quadratics,
    stacked_triangles,
)
from sklsq.solvers.descent import Descent, Reached
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
from sklsq.solvers.small_matrices import inner, inverse_roots
from sklsq.solvers.trust_region import CAUTION, FORGETTING, POOR

__all__ = ["minimise_batch"]

_WORKING_SET, _SMALLEST_SET = 8_192, 128  # problems
_WORKING_NUMBERS = 250_000  # entries of their matrices
_WELL_CONDITIONED = 1e4  # trace of the inverse of a Gram matrix as good as a QR, at most
_GOING_ON = -1
_COMPACT = 0.9  # share still going on at which the others leave
_FEW, _PATIENCE = 4, 5  # problems left, and steps together, after which each goes on alone


def minimise_batch(
    problem: NonlinearProblem,
    start: FloatArray,
    curves: IntArray,
    max_iter: int,
    tolerances: Tolerances,
) -> Minima:
    """Return the minima that descents from the starts (B, k) lead to."""
    engine, numbers = _Batch(problem, tolerances, max_iter), np.arange(len(start))
    size = max(min(_WORKING_NUMBERS // (problem.n_params + 1) ** 2, _WORKING_SET), _SMALLEST_SET)
    ended: list[_State] = []
    working, waiting, as_few = engine.begin(start[:size], curves[:size], numbers[:size]), size, 0
    while working.cost.size and as_few < _PATIENCE:
        over, working = engine.iterate(working)
        ended.append(over)
        as_few += working.cost.size <= _FEW and waiting >= len(start)
        if waiting < len(start) and working.cost.size <= size // 2:
            fresh = slice(waiting, waiting + size - working.cost.size)
            joining = engine.begin(start[fresh], curves[fresh], numbers[fresh])
            working, waiting = _joined([working, joining]), fresh.stop
    return engine.minima(ended, working)


@dataclass(slots=True)
class _State:
    """Where the problems of the working set are; the names of `sklsq.solvers.descent`."""

    number: IntArray
    curves: IntArray
    params: FloatArray  # (k, B)
    cost: FloatArray
    chi2: FloatArray
    products: FloatArray  # (k + 1, k + 1, B) of J with the residuals below
    D: FloatArray  # (k, B)
    radius: FloatArray
    ceiling: FloatArray
    before: FloatArray  # offset before an undamped step, else infinite
    offset: FloatArray
    newton: FloatArray  # (k, B), u of the Gauss-Newton step
    last: FloatArray  # (k, B), the undamped step that led here; NaN for none
    ratio: FloatArray
    free: BoolArray  # (k, B)
    n_iter: IntArray
    n_rejected: IntArray
    flat: BoolArray
    finite: BoolArray
    outcome: IntArray

    @property
    def gram(self) -> FloatArray:
        """J Jᵀ (k, k, B)."""
        return self.products[:-1, :-1]

    @property
    def gradient(self) -> FloatArray:
        """J r (k, B)."""
        return self.products[-1, :-1]

    def where(self, which: IntArray) -> _State:
        return _State(*(getattr(self, field.name).take(which, axis=-1) for field in fields(self)))


def _joined(states: list[_State]) -> _State:
    names = [field.name for field in fields(_State)]
    return _State(*(np.concatenate([getattr(s, name) for s in states], axis=-1) for name in names))


class _Batch:
    """The rules, for one problem and its options."""

    def __init__(self, problem: NonlinearProblem, tolerances: Tolerances, max_iter: int) -> None:
        self.problem, self.tolerances, self.max_iter = problem, tolerances, max_iter
        self.dof = max(problem.n_rows - problem.n_params, 1)
        self.box: tuple[FloatArray, FloatArray] | None = None
        if problem.bounded:
            lower, upper = problem.box
            self.box = lower[:, None], upper[:, None]

    def begin(self, start: FloatArray, curves: IntArray, number: IntArray) -> _State:
        """Linearise at the starts."""
        params = start.T.copy()
        k, n = params.shape
        cost, chi2, products, finite = self._linearise(params, curves)
        state = _State(
            number=number,
            curves=curves,
            params=params,
            cost=cost,
            chi2=chi2,
            products=products,
            D=np.zeros((k, n)),
            radius=np.zeros(n),
            ceiling=np.full(n, np.inf),
            before=np.full(n, np.inf),
            offset=np.full(n, np.inf),
            newton=np.zeros((k, n)),
            last=np.full((k, n), np.nan),
            ratio=np.zeros(n),
            free=np.ones((k, n), dtype=bool),
            n_iter=np.zeros(n, dtype=int),
            n_rejected=np.zeros(n, dtype=int),
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
        decrement = inner(state.newton, model.b)
        scale = self.dof / (2.0 * state.cost * self.problem.n_params)
        state.offset = np.sqrt(np.where(decrement > 0.0, decrement * scale, 0.0))
        left = self._foresee(state, model)
        verdict = self._verdict(state, left)
        state.outcome = np.where(state.outcome == _GOING_ON, verdict, state.outcome)
        going = state.outcome == _GOING_ON
        n_going = int(np.count_nonzero(going))
        over = state.where(np.arange(0))
        if n_going <= _COMPACT * len(going):  # else the few that have ended stay, and wait
            over, state = state.where(np.flatnonzero(~going)), state.where(np.flatnonzero(going))
            model = model.where(going)
        if not n_going:
            return over, state
        return over, self._try(state, *self._steps(state, model))

    def minima(self, ended: list[_State], working: _State) -> Minima:
        """Return the ends of all descents in the order of their starts."""
        going = working.outcome == _GOING_ON
        over = _joined([*ended, working.where(np.flatnonzero(~going))])
        rest = working.where(np.flatnonzero(going))
        parts = [self._minima(over), *(self._alone(rest, b) for b in range(rest.cost.size))]
        numbers = np.concatenate((over.number, rest.number))
        return Minima.joined(parts).where(np.argsort(numbers))

    def _alone(self, state: _State, b: int) -> Minima:
        """Return the end of one descent that takes longer than all others."""
        reached = Reached(
            state.params[:, b], state.D[:, b], float(state.radius[b]), int(state.n_iter[b])
        )
        given = self.problem, reached.params, int(state.curves[b]), self.max_iter, self.tolerances
        descent = Descent(*given, reached)
        descent.rate = 0.0  # not known, and the first step is to tell
        return descent.run()

    def _minima(self, state: _State) -> Minima:
        outcome, offset = state.outcome, state.offset
        polished = (outcome == Outcome.CONVERGED) & (offset <= self.tolerances.gtol)
        sums = state.newton / state.D / (1.0 - state.ratio)
        params = self._moved(state.params, np.where(polished, sums, 0.0))
        lost = outcome == Outcome.START_NOT_FINITE
        params[:, lost] = state.params[:, lost]
        return Minima(
            params=np.ascontiguousarray(params.T),
            cost=np.where(lost, np.nan, state.cost),
            chi2=np.where(lost, np.nan, state.chi2),
            n_iter=state.n_iter,
            outcome=outcome,
            offset=np.where(lost, np.nan, offset),
            R=self._factors(state),
            at_bound=np.ascontiguousarray(~state.free.T),
        )

    def _linearise(
        self, params: FloatArray, curves: IntArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
        """Return cost, chi2, products of J and r, and where all of them are finite."""
        problem, points = self.problem, params.T
        if problem.products is not None and problem.loss == "linear":
            products = problem.products(points, curves).transpose(1, 2, 0)
            chi2 = products[-1, -1]
            cost = 0.5 * chi2
        else:
            k, n = params.shape
            products, cost, chi2 = np.empty((k + 1, k + 1, n)), np.empty(n), np.empty(n)
            size = problems_held(problem)
            for first in range(0, n, size):
                part = slice(first, first + size)
                r, J = problem.linearise(points[part], curves[part])
                cost[part], chi2[part] = problem.cost_of(r), np.einsum("bi,bi->b", r, r)
                r, J = problem.weighted(r, J)
                rows = np.concatenate((J, r[:, None]), axis=1)
                products[:, :, part] = gram_matrices(rows.swapaxes(0, 1))
        finite = np.isfinite(cost + np.einsum("iib->b", products))  # then products are, too
        if not finite.all():
            products = np.where(finite, products, 0.0)
        return cost, chi2, products, finite

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
        near = np.flatnonzero((state.offset <= CLOSE) & np.isfinite(state.last[0]))
        if self.box is not None or not near.size:
            return left
        A, new = model.A.take(near, axis=-1), state.newton.take(near, axis=-1)
        old = state.last.take(near, axis=-1) * state.D.take(near, axis=-1)
        of_old = np.einsum("ijb,jb->ib", A, old)
        squared = inner(old, of_old)
        ratio = inner(new, of_old) / squared
        rest = new - ratio * old
        size = np.sqrt(inner(rest, np.einsum("ijb,jb->ib", A, rest)) / squared)
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
        params, norms = np.abs(state.params), np.sqrt(np.einsum("iib->ib", state.gram))
        exact = np.sqrt(2.0 * state.cost) <= 4.0 * EPS * (norms * params).max(axis=0)
        short = np.abs(state.newton) <= self.tolerances.xtol * state.D * params
        both: BoolArray = exact | short.all(axis=0)
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
            u[:, which] = model.damped(radius[which], which)
        if self.box is not None:
            u, undamped = self._within_bounds(state, u, radius, undamped)
            model = self._quadratics(state, None)
        return u / state.D, _norms(u), model.reduction(u), undamped

    def _within_bounds(
        self, state: _State, u: FloatArray, radius: FloatArray, undamped: BoolArray
    ) -> tuple[FloatArray, BoolArray]:
        """Put parameters that cross a bound on it, and compute the step of the others anew."""
        assert self.box is not None
        lowest = (self.box[0] - state.params) * state.D
        highest = (self.box[1] - state.params) * state.D
        held = ~state.free
        for _ in range(len(u)):
            clipped = np.clip(u, lowest, highest)
            crossing = ~held & (clipped != u)
            u = clipped
            again = np.flatnonzero(crossing.any(axis=0))
            if not again.size:
                break
            held = held | crossing
            fixed, moved, reach = held[:, again], u[:, again], radius[again] ** 2
            model = self._quadratics(state.where(again), (fixed, moved))
            spent = inner(moved, np.where(fixed, moved, 0.0))
            rest = np.sqrt(np.maximum(reach - spent, 0.01 * reach))
            step = model.newton()
            long = np.flatnonzero(_norms(step) > rest)
            if long.size:
                step[:, long] = model.damped(rest[long], long)
                undamped[again[long]] = False
            u[:, again] = np.where(fixed, moved, step)
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
        cost, chi2, products, state.finite = self._linearise(trial, state.curves)
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
        adapting = np.flatnonzero(~(invisible & better))
        slope = inner(state.gradient, change)
        regions = np.array([state.radius, state.ceiling, length, gain, slope, -fall])[:, adapting]
        adapted = _next_regions(regions, undamped[adapting])
        state.radius[adapting], state.ceiling[adapting] = adapted
        tiny = promised <= self.tolerances.ftol * state.cost
        state.flat = better & ~undamped & tiny
        state.before = np.where(better, np.where(undamped, state.offset, np.inf), state.before)
        state.n_rejected = np.where(better, 0, state.n_rejected + going)
        there = trial, cost, chi2, products, np.where(undamped, change, np.nan)
        worse = np.flatnonzero(~better)
        if worse.size:  # where few are, it is they that are put back
            here = state.params, state.cost, state.chi2, state.products, state.last
            for new, old in zip(there, here, strict=True):
                new[..., worse] = old[..., worse]
        state.params, state.cost, state.chi2, state.products, state.last = there
        self._rescale(state)
        return state

    def _rescale(self, state: _State) -> None:
        """Let the scales grow with the columns of the Jacobian."""
        state.D = np.maximum(state.D, np.sqrt(np.einsum("iib->ib", state.gram)))
        state.D[state.D == 0.0] = 1.0

    def _factors(self, state: _State) -> FloatArray:
        """Return R (B, k, k): from the Gram matrix where that is as good, else by QR."""
        norms = np.sqrt(np.einsum("iib->ib", state.gram))
        norms[norms == 0.0] = 1.0
        roots = inverse_roots(state.gram / norms / norms[:, None])
        R = np.ascontiguousarray((roots.triangles() * norms).transpose(2, 0, 1))
        known = state.outcome != Outcome.START_NOT_FINITE
        R[~known] = np.nan
        rest = np.flatnonzero(known & ~(roots.trace() < _WELL_CONDITIONED))
        if rest.size:
            R[rest], _ = stacked_triangles(
                self.problem, state.params[:, rest].T, state.curves[rest]
            )
        return R


def _norms(vectors: FloatArray) -> FloatArray:
    norms: FloatArray = np.sqrt(inner(vectors, vectors))
    return norms


def _next_regions(regions: FloatArray, undamped: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Return radii and ceilings after a step; see `sklsq.solvers.trust_region.next_region`.

    Parameters
    ----------
    regions : ndarray of shape (6, B)
        Radius, ceiling, length of the step, gain, slope along it, and rise of the cost.
    undamped : ndarray of bool of shape (B,)
        Whether the radius did not matter.
    """
    radius, ceiling, length, gain, slope, rise = regions
    vertex = np.where(np.isfinite(rise), np.maximum(0.5 * slope / (slope + rise), 0.1), 0.1)
    shrunk = np.where(rise <= 0.0, 0.5, vertex) * np.minimum(radius, 10.0 * length)
    grown = (gain >= 0.75) | (undamped & (gain > POOR))
    radius = np.where(grown, 2.0 * length, np.where(gain > POOR, radius, shrunk))
    failed = ~(gain >= POOR)
    growing = ~(failed | undamped) & (radius > length)
    little = np.maximum(np.minimum(radius, CAUTION * ceiling), length)
    beyond = np.where(undamped, np.inf, np.where(growing, FORGETTING * ceiling, ceiling))
    return np.where(growing, little, radius), np.where(failed, length, beyond)
