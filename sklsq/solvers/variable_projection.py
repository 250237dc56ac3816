r"""Separable problems: parameters that enter linearly are eliminated.

Where the model is :math:`f = \varphi_0(\alpha) + \Phi(\alpha)\beta`, the best β for given α is a
linear least-squares solution, and what remains is a problem in α alone,

.. math:: \min_\alpha \tfrac12\|P^\perp_\alpha r_0(\alpha)\|^2, \qquad
          P^\perp = I - QQ^\mathsf{T},\quad \Phi/\sigma = QT,

with :math:`r_0` the residuals at β = 0 (Golub & Pereyra, *SIAM J. Numer. Anal.* 10 (1973) 413). It
has fewer parameters, needs no start for β, and its minimum is reached from much farther away. Its
Jacobian is taken as :math:`P^\perp J_\alpha(\alpha, \beta)` with the best β (Kaufman, *BIT* 15
(1975) 49): the part left out is of second order in the residuals.

The n rows of Φ are orthogonalised by Gram-Schmidt, twice, for all points of the batch at once; a
column that is a combination of the earlier ones gets the coefficient zero. Since β = 0 and then the
best β are put into the ordinary callables, any model can be projected. A descent that has lost a
term goes on (`sklsq.solvers.lost_parameters`). The last one is of the full problem, which gives the
errors of all parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.solvers.levenberg_marquardt import minimise
from sklsq.solvers.lost_parameters import found_again
from sklsq.solvers.nonlinear_problem import Minima, NonlinearProblem, Tolerances

__all__ = ["Projection", "minimise_separable", "project"]

_SCANNED_NUMBERS = 200_000  # entries of the Jacobians held at a time
_COMPARED = 64  # points, one of which has small residuals
_DEPENDENT = 1e-11  # share of a column that must not be in the span of the earlier ones
_ROUGHLY = Tolerances(gtol=1e-5, polish=False, reach=1.0)


@dataclass(frozen=True)
class Projection:
    """A separable problem in its nonlinear parameters.

    Parameters
    ----------
    full : NonlinearProblem
        The problem in all k parameters; its loss is "linear".
    linear : ndarray of bool of shape (k,)
        Parameters that enter linearly. They have no bounds.
    """

    full: NonlinearProblem
    linear: BoolArray

    @property
    def problem(self) -> NonlinearProblem:
        """The problem in the nonlinear parameters only, the others at their best."""
        lower, upper = self.full.box
        nonlinear = ~self.linear
        return NonlinearProblem(
            evaluate=self._evaluate,
            linearise=self._linearise,
            n_params=int(nonlinear.sum()),
            n_rows=self.full.n_rows,
            lower=lower[nonlinear],
            upper=upper[nonlinear],
        )

    def complete(self, alpha: FloatArray, curves: IntArray) -> FloatArray:
        """Return all parameters (B, k), the linear ones at their best."""
        with np.errstate(all="ignore"):
            return self._solve(alpha, curves)[0]

    def scan(self, alpha: FloatArray, curves: IntArray) -> FloatArray:
        r"""Return the costs (C, S) of S points for each of C curves that are alike.

        With d the difference of a curve's whitened data from the first one's, its cost is
        :math:`\tfrac12(\|r_0 + d\|^2 - \|Q(r_0 + d)\|^2)`: r₀ and Q are computed once for all
        curves, and products with all d at a time are left. Infinite where it does not exist.
        """
        first, costs = curves[:1], np.empty((len(curves), len(alpha)))
        size = max(_SCANNED_NUMBERS // (self.full.n_rows * self.full.n_params), 1)
        differences = self._differences(alpha, curves)
        lengths = np.einsum("ci,ci->c", differences, differences)
        for start in range(0, len(alpha), size):
            part = slice(start, start + size)
            points = self._without_linear(alpha[part])
            r0, J = self.full.linearise(points, np.repeat(first, len(points)))
            Q, _ = _orthogonalised(J[:, self.linear])
            m, n = Q.shape[1:]
            along = np.matmul(Q, r0[:, :, None]) + (Q.reshape(-1, n) @ differences.T).reshape(
                len(points), m, len(curves)
            )
            squares = np.einsum("bi,bi->b", r0, r0)[:, None] + 2.0 * (r0 @ differences.T) + lengths
            costs[:, part] = 0.5 * (squares - np.square(along).sum(axis=1)).T
        costs[~np.isfinite(costs)] = np.inf
        return np.maximum(costs, 0.0, out=costs)

    def _differences(self, alpha: FloatArray, curves: IntArray) -> FloatArray:
        """Return whitened data (C, n) less those of the first curve; NaN if no point is finite.

        They are differences of residuals, where those are smallest: a large model hides the data.
        """
        points, first = self._without_linear(alpha), np.repeat(curves[:1], len(alpha))
        best = points[0]
        for start in range(0, len(points), _COMPARED):
            part = slice(start, start + _COMPARED)
            sizes = np.abs(self.full.evaluate(points[part], first[part])).max(axis=1)
            if np.isfinite(sizes).any():
                best = points[part][np.nanargmin(sizes)]
                break
        residuals = self.full.evaluate(np.repeat(best[None], len(curves), axis=0), curves)
        differences: FloatArray = residuals - residuals[0]
        return differences

    def _without_linear(self, alpha: FloatArray) -> FloatArray:
        params = np.zeros((len(alpha), self.full.n_params))
        params[:, ~self.linear] = alpha
        return params

    def _evaluate(self, alpha: FloatArray, curves: IntArray) -> FloatArray:
        return self._solve(alpha, curves)[1]

    def _linearise(self, alpha: FloatArray, curves: IntArray) -> tuple[FloatArray, FloatArray]:
        params, residuals, Q = self._solve(alpha, curves)
        _, J = self.full.linearise(params, curves)
        J = J[:, ~self.linear]
        return residuals, J - np.matmul(np.matmul(J, Q.swapaxes(1, 2)), Q)

    def _solve(
        self, alpha: FloatArray, curves: IntArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return all parameters (B, k), residuals (B, n) and Q (B, m, n) at the best β."""
        params = self._without_linear(alpha)
        residuals, J = self.full.linearise(params, curves)
        Q, T = _orthogonalised(J[:, self.linear])
        z = np.matmul(Q, residuals[:, :, None])[:, :, 0]
        params[:, self.linear] = _substituted_back(T, z)
        return params, residuals - np.matmul(z[:, None], Q)[:, 0], Q


def project(problem: NonlinearProblem, linear: BoolArray) -> Projection:
    """Eliminate the linear parameters of a problem.

    Parameters
    ----------
    problem : NonlinearProblem
        With the loss "linear".
    linear : ndarray of bool of shape (k,)
        Parameters that enter linearly. Those with a bound are left in the problem.
    """
    if problem.loss != "linear":
        raise ValueError(f"`loss` must be 'linear' to project. Got {problem.loss!r}.")
    lower, upper = problem.box
    return Projection(problem, linear & np.isinf(lower) & np.isinf(upper))


def minimise_separable(
    problem: NonlinearProblem,
    start: FloatArray,
    linear: BoolArray,
    *,
    curves: IntArray | None = None,
    max_iter: int = 1_000,
    tolerances: Tolerances | None = None,
) -> Minima:
    """Return the minima that descents of the projected problem lead to, polished on the full one.

    Parameters
    ----------
    problem, curves, max_iter, tolerances
        As in `sklsq.solvers.levenberg_marquardt.minimise`.
    start : ndarray of shape (B, k)
        Starts; the values of linear parameters do not matter.
    linear : ndarray of bool of shape (k,)
        Parameters that enter linearly.

    Returns
    -------
    Minima
        Of the full problem; `n_iter` counts the steps of all descents.
    """
    curves = np.arange(len(start)) if curves is None else curves
    projection = project(problem, linear)
    alpha = start[:, ~projection.linear]
    n_iter = np.zeros(len(start), dtype=int)
    if alpha.shape[1] and projection.linear.any():
        reduced = projection.problem
        rough = minimise(reduced, alpha, curves=curves, max_iter=max_iter, tolerances=_ROUGHLY)
        rough = found_again(reduced, alpha, rough, curves, max_iter=max_iter, tolerances=_ROUGHLY)
        alpha, n_iter = rough.params, rough.n_iter
    begin = projection.complete(alpha, curves)
    lost = ~np.isfinite(begin).all(axis=1)
    begin[lost] = start[lost]
    minima = minimise(problem, begin, curves=curves, max_iter=max_iter, tolerances=tolerances)
    return replace(minima, n_iter=minima.n_iter + n_iter)


def _orthogonalised(columns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return orthonormal rows Q (B, m, n) and T (B, m, m) with ``columns[b].T = Q[b].T @ T[b]``.

    A row that depends on earlier ones becomes zero, with an infinite diagonal entry of T.
    """
    Q = np.array(columns)
    n_points, m, _ = Q.shape
    T = np.zeros((n_points, m, m))
    for j in range(m):
        row = Q[:, j]
        size = np.sqrt(np.einsum("bi,bi->b", row, row))
        for _ in range(2 if j else 0):
            along = np.matmul(Q[:, :j], row[:, :, None])[:, :, 0]
            row -= np.matmul(along[:, None], Q[:, :j])[:, 0]
            T[:, :j, j] += along
        left = np.sqrt(np.einsum("bi,bi->b", row, row))
        left[np.isinf(size)] = np.nan  # overflow must not look like dependence
        T[:, j, j] = np.where(left <= _DEPENDENT * size, np.inf, left)
        row /= T[:, j, j, None]
    return Q, T


def _substituted_back(T: FloatArray, z: FloatArray) -> FloatArray:
    """Return the solutions (B, m) of ``T beta = z``; zero where T is infinite."""
    beta = np.zeros_like(z)
    for j in range(z.shape[1] - 1, -1, -1):
        rest = np.einsum("bi,bi->b", T[:, j, j + 1 :], beta[:, j + 1 :])
        beta[:, j] = (z[:, j] - rest) / T[:, j, j]
    return beta
