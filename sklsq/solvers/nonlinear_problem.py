r"""Batches of nonlinear least-squares problems, and their minima.

A *problem* is the whitened residuals :math:`r(p) = (y - f(X; p))/\sigma` of one curve, priors
appended as further rows, with :math:`J = \partial(f/\sigma)/\partial p = -\partial r/\partial p`;
the cost is :math:`\tfrac12 r^\mathsf{T}r`, or that of a robust loss. A *batch* is B points in
parameter space at once, each with the number of the curve it belongs to: many curves with their own
parameters, many starts of one curve, the grid of a profile, bootstrap replicates. Everything in the
nonlinear engine works on batches; B = 1 is one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from functools import cached_property

import numpy as np

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.solvers.robust_loss import robust_cost, robust_weights

__all__ = ["Minima", "NonlinearProblem", "Outcome", "Tolerances"]


class Outcome(IntEnum):
    """How a descent ended; `sentence` says it to the user, cause first, then remedy."""

    CONVERGED = 0
    EXACT = 1
    MAX_ITERATIONS = 2
    START_NOT_FINITE = 3
    NOT_FINITE = 4
    STALLED = 5

    @property
    def converged(self) -> bool:
        """Whether the parameters are a minimum."""
        return self <= Outcome.EXACT

    @property
    def sentence(self) -> str:
        """Cause and remedy."""
        return _SENTENCES[self]


_SENTENCES = {
    Outcome.CONVERGED: "Converged: no step lowers the cost by more than rounding.",
    Outcome.EXACT: "Converged: the model goes through every point, up to rounding.",
    Outcome.MAX_ITERATIONS: (
        "Not converged: the cost was still falling after `max_iter` steps. Increase `max_iter`, or "
        "check whether the data determine all parameters."
    ),
    Outcome.START_NOT_FINITE: (
        "Not converged: the model or its derivatives are not finite at the start. Choose another "
        "`p0`, or bounds that keep the parameters where the model exists."
    ),
    Outcome.NOT_FINITE: (
        "Not converged: the model is not finite right beside the last parameters. Set bounds that "
        "keep the parameters where the model exists."
    ),
    Outcome.STALLED: (
        "Not converged: no step along the derivatives of the model lowers the cost. If x is far "
        "from zero compared with its spread, rounding is in the way: subtract an offset from x. "
        "Else check the derivatives (`jac`), and whether the model is a smooth function of its "
        "parameters."
    ),
}


@dataclass(frozen=True)
class NonlinearProblem:
    """One model and the data of one or many curves.

    Parameters
    ----------
    evaluate : callable
        ``evaluate(params (B, k), curves (B,)) -> residuals (B, n)``, whitened, ``(y - f)/sigma``.
        NaN and infinity are allowed: such a point is never accepted.
    linearise : callable
        ``linearise(params (B, k), curves (B,)) -> residuals (B, n), J (B, k, n)`` with
        ``J = d(f/sigma)/dp``, the negative derivative of the residuals.
    n_params, n_rows : int
        k and n; the rows of priors counted.
    lower, upper : ndarray of shape (k,), optional
        Bounds; infinite where there is none.
    loss : {"linear", "soft_l1", "huber", "cauchy", "arctan"}
        What is summed over the rows.
    f_scale : float
        Size of an ordinary whitened residual, for a robust loss.
    n_priors : int
        How many of the last rows are priors, which a robust loss spares.
    take : callable, optional
        ``take(rows: slice) -> NonlinearProblem`` restricted to those rows (with a step too), for
        problems of more rows than should be held at once.
    single : callable, optional
        ``single(params, curve) -> rows (k + 1, n)`` of k Python floats, J with the residuals below:
        what `linearise` does for one problem, without what many would need.
    alike : bool
        Whether the curves differ in their data alone, not in their derivatives or errors.
    products : callable, optional
        ``products(params (B, k), curves (B,)) -> (B, k + 1, k + 1)``, the products of these rows
        with each other, for as many problems as there are, without holding their rows.
    """

    evaluate: Callable[[FloatArray, IntArray], FloatArray]
    linearise: Callable[[FloatArray, IntArray], tuple[FloatArray, FloatArray]]
    n_params: int
    n_rows: int
    lower: FloatArray | None = None
    upper: FloatArray | None = None
    loss: str = "linear"
    f_scale: float = 1.0
    n_priors: int = 0
    take: Callable[[slice], NonlinearProblem] | None = None
    single: Callable[[Sequence[float], int], FloatArray] | None = None
    products: Callable[[FloatArray, IntArray], FloatArray] | None = None
    alike: bool = False

    @cached_property
    def bounded(self) -> bool:
        """Whether any bound is finite."""
        return any(b is not None and bool(np.isfinite(b).any()) for b in (self.lower, self.upper))

    @property
    def box(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bounds (k,) as arrays."""
        k = self.n_params
        lower = np.full(k, -np.inf) if self.lower is None else self.lower
        return lower, np.full(k, np.inf) if self.upper is None else self.upper

    def blocks(self, n_rows: int) -> list[NonlinearProblem]:
        """Return the problem in blocks of rows, the same ones each time."""
        found: dict[int, list[NonlinearProblem]] = self._blocks
        if n_rows not in found:
            assert self.take is not None
            firsts = range(0, self.n_rows, n_rows)
            found[n_rows] = [
                self.take(slice(first, min(first + n_rows, self.n_rows))) for first in firsts
            ]
        return found[n_rows]

    @cached_property
    def _blocks(self) -> dict[int, list[NonlinearProblem]]:
        return {}

    def rows(self, params: Sequence[float], curve: int) -> FloatArray:
        """Return rows (k + 1, n) of one point (k,): J, and the residuals below."""
        if self.single is not None:
            return self.single(params, curve)
        residuals, jacobian = self.linearise(np.array([params]), np.array([curve]))
        return np.concatenate((jacobian[0], residuals))

    def costs(self, params: FloatArray, curves: IntArray) -> FloatArray:
        """Return the costs (B,); NaN or infinite where the model is."""
        return self.cost_of(self.evaluate(params, curves))

    def cost_of(self, residuals: FloatArray) -> FloatArray:
        """Return the cost (...,) of residuals (..., n)."""
        if self.loss == "linear":
            cost: FloatArray = 0.5 * np.einsum("...i,...i->...", residuals, residuals)
            return cost
        return robust_cost(residuals, self.loss, self.f_scale, self.n_priors)

    def weighted(
        self, residuals: FloatArray, jacobian: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return residuals (B, n) and J (B, k, n) of the least-squares problem of the loss."""
        if self.loss == "linear":
            return residuals, jacobian
        of_residuals, of_rows = robust_weights(residuals, self.loss, self.f_scale, self.n_priors)
        return residuals * of_residuals, jacobian * of_rows[:, None]


@dataclass(frozen=True)
class Tolerances:
    """When a descent ends, and how far its first step may go.

    Parameters
    ----------
    ftol : float
        Relative decrease of the cost below which a damped descent is given up.
    xtol : float
        Step relative to the parameters.
    gtol : float
        Gauss-Newton step in standard errors, the relative offset of Bates & Watts, *Technometrics*
        23 (1981) 179.
    polish : bool
        Whether to go on from there until what is `left` is small, or rounding shows.
    left : float
        Sum of the steps still to come, in standard errors, that may be left out.
    reach : float
        Radius of the first trust region, in lengths of the start; `factor` of MINPACK.
    """

    ftol: float = 1e-15
    xtol: float = 1e-15
    gtol: float = 1e-7
    polish: bool = True
    left: float = 1e-11
    reach: float = 100.0


@dataclass(frozen=True)
class Minima:
    """Where B descents ended.

    Parameters
    ----------
    params : ndarray of shape (B, k)
        Parameters.
    cost, chi2 : ndarray of shape (B,)
        Half the sum of the loss, and the sum of squares of the plain whitened residuals.
    n_iter : ndarray of shape (B,)
        Steps tried; the model and its derivatives are evaluated once for each.
    outcome : ndarray of int of shape (B,)
        Codes of `Outcome`: ``Outcome(code).sentence``.
    offset : ndarray of shape (B,)
        Length of the last Gauss-Newton step in standard errors.
    R : ndarray of shape (B, k, k)
        ``R.T @ R = J @ J.T`` at the minimum, of the rows weighted by the loss.
    at_bound : ndarray of bool of shape (B, k)
        Parameters that the bounds keep from lowering the cost.
    """

    params: FloatArray
    cost: FloatArray
    chi2: FloatArray
    n_iter: IntArray
    outcome: IntArray
    offset: FloatArray
    R: FloatArray
    at_bound: BoolArray

    @property
    def converged(self) -> BoolArray:
        """Mask (B,) of the descents that found a minimum."""
        mask: BoolArray = self.outcome <= Outcome.EXACT
        return mask

    @property
    def terms(self) -> FloatArray:
        """Lengths (B, k) of what each parameter contributes, the norm of its column times it."""
        norms: FloatArray = np.sqrt(np.einsum("bij,bij->bj", self.R, self.R))
        return norms * np.abs(self.params)

    def where(self, rows: IntArray | slice) -> Minima:
        """Return some of the minima."""
        return Minima(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence[Minima]) -> Minima:
        """Return the minima of several parts as one."""
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
