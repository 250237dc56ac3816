r"""One descent of the trust-region algorithm; see `sklsq.solvers.levenberg_marquardt`.

Close to the minimum each Gauss-Newton step is a multiple of the one before, :math:`\delta' =
\rho\delta + \epsilon`, the ratio ρ in the metric of the standard errors. The steps still to come
then add up to :math:`\delta'/(1-\rho)` (Aitken), known up to :math:`|\epsilon|/(1-|\rho|)` of the
offset. When that is small enough the descent is over, and their sum is taken without evaluating the
model once more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sklsq._typing import BoolArray, FloatArray
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
from sklsq.solvers.linearisation import Linearisation, cost_at, linearise_at
from sklsq.solvers.nonlinear_problem import Minima, NonlinearProblem, Outcome, Tolerances
from sklsq.solvers.singular import default_rcond
from sklsq.solvers.trust_region import (
    Quadratic,
    bounded_step,
    next_region,
    quadratic_of_gram,
    quadratic_of_triangle,
)

__all__ = ["Descent", "Reached"]


@dataclass(slots=True)
class _Point:
    """A point of the descent; `model` is the linearised problem of the free parameters."""

    params: FloatArray
    linear: Linearisation
    free: BoolArray | None  # None: all are
    triangle: tuple[FloatArray, FloatArray] | None
    model: Quadratic
    length: float  # of the Gauss-Newton step
    offset: float


@dataclass(slots=True)
class _Step:
    change: FloatArray
    length: float
    promised: float
    undamped: bool


@dataclass(frozen=True, slots=True)
class Reached:
    """Where a descent may go on: a point, the scales D, the radius, and the steps taken."""

    params: FloatArray
    D: FloatArray
    radius: float
    n_iter: int


class Descent:
    """A descent from one start (k,), or from a point reached; `run` returns its minimum."""

    def __init__(
        self,
        problem: NonlinearProblem,
        start: FloatArray,
        curve: int,
        max_iter: int,
        tolerances: Tolerances,
        reached: Reached | None = None,
    ) -> None:
        self.problem, self.curve = problem, curve
        self.max_iter, self.tolerances = max_iter, tolerances
        self.start = start
        self.box = problem.box if problem.bounded else None
        self.rcond = default_rcond(problem.n_rows, problem.n_params)
        self.dof = max(problem.n_rows - problem.n_params, 1)
        self.D = np.zeros(problem.n_params)
        self.radius, self.ceiling = 0.0, math.inf
        self.rate, self.ratio, self.left = 1.0, 0.0, 1.0
        self.n_iter = self.n_rejected = 0
        self.flat, self.finite = False, True
        if reached is not None and reached.n_iter:  # another loop has come so far
            self.start, self.n_iter = reached.params, reached.n_iter
            self.D, self.radius = np.array(reached.D), reached.radius
            self.rate = 0.0  # of the step that led here nothing is known

    def run(self) -> Minima:
        """Descend."""
        linear = self._linearise(self.start)
        if linear is None:
            return self._nowhere()
        self._arrive(self.start, linear)
        if self.n_iter == 0:
            self.radius = self.tolerances.reach * (_norm(self.D * self.start) or 1.0)
        outcome = self._verdict()
        while outcome is None:
            self._iterate()
            outcome = self._verdict()
        return self._minimum(outcome)

    def _iterate(self) -> None:
        """Try one step."""
        point, step = self.point, self._step()
        self.n_iter += 1
        if self.n_iter == 1:
            self.radius = min(self.radius, step.length)
        trial = self._moved(step.change)
        linear = self._try(trial, step)
        if linear is None:
            self.n_rejected += 1
            return
        self.n_rejected = 0
        cost = self.point.linear.cost
        self.flat = not step.undamped and step.promised <= self.tolerances.ftol * cost
        before = point.offset
        self._arrive(trial, linear)
        self.rate = self.point.offset / before if step.undamped and before > 0.0 else 1.0
        self._foresee(step)

    def _arrive(self, params: FloatArray, linear: Linearisation) -> None:
        """Make a linearised point the current one."""
        self.D = np.maximum(self.D, linear.norms)
        if self.n_iter == 0:  # later on they can only grow
            self.D[self.D == 0.0] = 1.0
        free, triangle, model = None, None, None
        if self.box is None:
            model = quadratic_of_gram(linear.gram, linear.gradient, self.D)
        else:
            outward = linear.gradient
            at_lower, at_upper = params <= self.box[0], params >= self.box[1]
            free = ~((at_lower & (outward < 0.0)) | (at_upper & (outward > 0.0)))
        if model is None:
            triangle = linear.triangle()
            model = self._model(triangle, free)
        u, squared = model.newton, model.decrement
        size = squared / len(u) * self.dof / (2.0 * linear.cost) if squared > 0.0 else 0.0
        self.point = _Point(params, linear, free, triangle, model, _norm(u), math.sqrt(size))

    def _foresee(self, step: _Step) -> None:
        """Compare the next step with the last one: their ratio, and what it leaves open."""
        self.ratio, self.left = 0.0, min(self.rate, 1.0)
        point = self.point
        if self.box is not None or not step.undamped or point.offset > CLOSE:
            return
        inner, new, old = point.model.inner, point.model.newton, self.D * step.change
        squared = inner(old, old)
        ratio = inner(new, old) / squared if squared > 0.0 else 1.0
        if abs(ratio) < SHRINKING:
            rest = new - ratio * old
            self.ratio = ratio
            self.left = math.sqrt(max(inner(rest, rest), 0.0) / squared) / (1.0 - abs(ratio))

    def _model(self, triangle: tuple[FloatArray, FloatArray], free: BoolArray | None) -> Quadratic:
        R, z = triangle
        if free is None or free.all():
            return quadratic_of_triangle(R, z, self.D, self.rcond)
        if not free.any():
            nothing = np.zeros((len(z), 1)), np.zeros(len(z))
            return quadratic_of_triangle(*nothing, np.ones(1), self.rcond)
        return quadratic_of_triangle(R[:, free], z, self.D[free], self.rcond)

    def _step(self) -> _Step:
        """Return the step from the current point within the radius."""
        point = self.point
        free_hand = point.offset <= AT_ROUNDING and self.n_rejected == 0
        radius = math.inf if free_hand else self.radius
        if self.box is not None:
            assert point.triangle is not None
            assert point.free is not None
            room = self.box[0] - point.params, self.box[1] - point.params
            change, promised, undamped = bounded_step(
                *point.triangle, self.D, radius, room, point.free, self.rcond
            )
            return _Step(change, _norm(self.D * change), promised, undamped)
        model, u, length = point.model, point.model.newton, point.length
        if length <= radius:
            return _Step(u / self.D, length, 0.5 * model.decrement, True)
        u = model.damped(radius)
        return _Step(u / self.D, _norm(u), model.reduction(u), False)

    def _moved(self, change: FloatArray) -> FloatArray:
        """Return the point a step leads to, on a bound exactly where it reaches one."""
        params = self.point.params
        moved: FloatArray = params + change
        if self.box is None:
            return moved
        lower, upper = self.box
        moved = np.where(change <= lower - params, lower, moved)
        return np.where(change >= upper - params, upper, moved)

    def _try(self, trial: FloatArray, step: _Step) -> Linearisation | None:
        """Return the linearised trial point if it is better, and adapt the radius."""
        cost = self.point.linear.cost
        invisible = step.undamped and step.promised <= INVISIBLE * cost
        linear: Linearisation | None = None
        if self.n_rejected:  # likely to be rejected again: the derivatives can wait
            reached = cost_at(self.problem, trial, self.curve)
        else:
            linear = self._linearise(trial)
            reached = math.nan if linear is None else linear.cost
        self.finite = math.isfinite(reached)
        gain = (cost - reached) / step.promised if step.promised > 0.0 else math.nan
        better = gain >= ACCEPTABLE or (invisible and reached <= cost * (1.0 + INVISIBLE))
        if not (invisible and better):
            slope = float(self.point.linear.gradient.dot(step.change))
            self.radius, self.ceiling = next_region(
                self.radius, self.ceiling, step.length, gain, slope, reached - cost, step.undamped
            )
        if not better:
            return None
        return self._linearise(trial) if linear is None else linear

    def _linearise(self, params: FloatArray) -> Linearisation | None:
        """Linearise; None where anything is not finite."""
        linear = linearise_at(self.problem, params, self.curve)
        return (
            linear if math.isfinite(linear.cost + float(linear.norms.dot(linear.norms))) else None
        )

    def _verdict(self) -> Outcome | None:
        """Return how the descent ended, None while it goes on."""
        outcome = self._arrived() if self.n_rejected == 0 else self._rejected()
        if outcome is None and self.n_iter >= self.max_iter:
            return Outcome.MAX_ITERATIONS
        return outcome

    def _arrived(self) -> Outcome | None:
        """Return whether the current point is the end."""
        offset, tolerances = self.point.offset, self.tolerances
        left = offset * self.left if tolerances.polish else 0.0
        if offset <= tolerances.gtol and left <= tolerances.left:
            return Outcome.CONVERGED
        if offset <= AT_ROUNDING and self.rate >= SHRINKING and self.n_iter:
            return Outcome.CONVERGED
        if self._is_exact():
            return Outcome.EXACT
        return self._exhausted() if self.flat else None

    def _rejected(self) -> Outcome | None:
        """Return whether the last rejection was one too many."""
        if self.n_rejected >= MANY_REJECTED and self._hardly_moves():
            return Outcome.CONVERGED
        if self.n_rejected >= MAX_REJECTED or self.radius <= EPS * self._length():
            return self._exhausted()
        return None

    def _is_exact(self) -> bool:
        """Whether the residuals are rounding of the fitted values, or the step is."""
        point = self.point
        norms = point.linear.norms  # not D: of a term that has become small since, D says nothing
        bound = float(norms.dot(norms)) * float(point.params.dot(point.params))
        if min(2.0 * point.linear.cost, point.length**2) > EPS * bound:
            return False
        sizes = norms * np.abs(point.params)
        if math.sqrt(2.0 * point.linear.cost) <= 4.0 * EPS * float(sizes.max()):
            return True
        step = point.model.newton / point.model.D
        moving = np.abs(point.params if point.free is None else point.params[point.free])
        return len(step) == len(moving) and bool(
            (np.abs(step) <= self.tolerances.xtol * moving).all()
        )

    def _hardly_moves(self) -> bool:
        point = self.point
        return point.offset <= AT_ROUNDING or point.length <= SHORT * self._length()

    def _length(self) -> float:
        return _norm(self.D * self.point.params)

    def _exhausted(self) -> Outcome:
        if self.point.offset <= math.sqrt(AT_ROUNDING):
            return Outcome.CONVERGED
        return Outcome.STALLED if self.finite else Outcome.NOT_FINITE

    def _minimum(self, outcome: Outcome) -> Minima:
        """Return the current point, after the step that needs no checking."""
        point, k = self.point, self.problem.n_params
        triangle = point.linear.triangle() if point.triangle is None else point.triangle
        params = point.params
        if outcome is Outcome.CONVERGED and point.offset <= self.tolerances.gtol:
            params = self._moved(self._polishing(triangle))
        at_bound = np.zeros(k, dtype=bool) if point.free is None else ~point.free
        return Minima(
            params=params[None],
            cost=np.array([point.linear.cost]),
            chi2=np.array([point.linear.chi2]),
            n_iter=np.array([self.n_iter]),
            outcome=np.array([int(outcome)]),
            offset=np.array([point.offset]),
            R=triangle[0][None],
            at_bound=at_bound[None],
        )

    def _polishing(self, triangle: tuple[FloatArray, FloatArray]) -> FloatArray:
        point = self.point
        if self.box is None or point.free is None:
            change: FloatArray = point.model.newton / self.D / (1.0 - self.ratio)
            return change
        room = self.box[0] - point.params, self.box[1] - point.params
        return bounded_step(*triangle, self.D, math.inf, room, point.free, self.rcond)[0]

    def _nowhere(self) -> Minima:
        k = self.problem.n_params
        return Minima(
            params=self.start[None],
            cost=np.array([np.nan]),
            chi2=np.array([np.nan]),
            n_iter=np.array([0]),
            outcome=np.array([int(Outcome.START_NOT_FINITE)]),
            offset=np.array([np.nan]),
            R=np.full((1, k, k), np.nan),
            at_bound=np.zeros((1, k), dtype=bool),
        )


def _norm(vector: FloatArray) -> float:
    return math.sqrt(float(vector.dot(vector)))
