"""The best linear parameters for given nonlinear ones: how starting guesses are completed.

With f = f₀(q) + Σ aᵢ gᵢ(q) the coefficients a minimise |y - f₀ - G a| for each guess q. The normal
equations of scaled columns are enough here: a guess needs two digits, not fifteen.

`polish` moves the nonlinear parameters as well, by a few damped Gauss-Newton steps of all guesses
at once: enough to tell a guess that leads somewhere from one that does not.
"""

import numpy as np

from sklsq._typing import BoolArray, FloatArray
from sklsq.models.model import Model

__all__ = ["best_candidates", "complete", "polish"]

_RIDGE = 1e-10
_BATCH_NUMBERS = 400_000


def complete(
    model: Model, X: FloatArray, y: FloatArray, params: FloatArray, is_linear: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Solve for the linear parameters of each guess.

    Parameters
    ----------
    model : Model
    X, y : ndarray of shape (n, p), (n,)
    params : ndarray of shape (S, m)
        Guesses; entries of linear parameters are ignored.
    is_linear : ndarray of bool, shape (m,)
        The parameters to solve for.

    Returns
    -------
    params : ndarray of shape (S, m)
    costs : ndarray of shape (S,)
        The sum of squares; infinite where the model is not finite.
    """
    params = np.where(is_linear, 0.0, params)
    costs = np.empty(len(params))
    n_together = max(1, _BATCH_NUMBERS // (max(len(y), 1) * params.shape[1]))
    for first in range(0, len(params), n_together):
        part = slice(first, first + n_together)
        params[part], costs[part] = _complete_batch(model, X, y, params[part], is_linear)
    return params, costs


def best_candidates(
    model: Model,
    X: FloatArray,
    y: FloatArray,
    params: FloatArray,
    is_linear: BoolArray,
    n_best: int = 16,
) -> FloatArray:
    """Complete guesses and return the `n_best` with the least sum of squares, best first."""
    completed, costs = complete(model, X, y, params, is_linear)
    order = np.argsort(costs, kind="stable")
    order = order[np.isfinite(costs[order])]
    return completed[order[:n_best]]


def polish(
    model: Model,
    X: FloatArray,
    y: FloatArray,
    params: FloatArray,
    is_free: BoolArray,
    n_steps: int = 8,
) -> tuple[FloatArray, FloatArray]:
    """Improve guesses by damped Gauss-Newton steps; return them with their sums of squares."""
    damping = np.full(len(params), 1e-2)
    values, derivatives = model.linearise(X, params)
    costs = _sum_of_squares(y - values)
    for _ in range(n_steps):
        with np.errstate(all="ignore"):
            trial = params.copy()
            basis, scales, _ = _scaled(derivatives[:, is_free])
            residual = np.where(np.isfinite(values), y - values, 0.0)
            trial[:, is_free] += _solve(basis, residual, damping) / scales
        trial_values, trial_derivatives = model.linearise(X, trial)
        trial_costs = _sum_of_squares(y - trial_values)
        better = trial_costs < costs
        params = np.where(better[:, None], trial, params)
        values = np.where(better[:, None], trial_values, values)
        derivatives = np.where(better[:, None, None], trial_derivatives, derivatives)
        costs = np.where(better, trial_costs, costs)
        damping = np.where(better, damping / 5, damping * 8)
    return params, costs


def _sum_of_squares(residual: FloatArray) -> FloatArray:
    with np.errstate(all="ignore"):
        costs = np.einsum("sn,sn->s", residual, residual)
    return np.where(np.isfinite(costs), costs, np.inf)


def _scaled(basis: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return basis functions of length 1 (zero where not finite), their lengths, and which are."""
    sizes = np.sqrt(np.einsum("skn,skn->sk", basis, basis))
    scales = np.where((sizes > 0) & np.isfinite(sizes), sizes, 1.0)
    is_finite = np.isfinite(sizes).all(axis=1)
    return np.where(is_finite[:, None, None], basis / scales[:, :, None], 0.0), scales, is_finite


def _complete_batch(
    model: Model, X: FloatArray, y: FloatArray, params: FloatArray, is_linear: BoolArray
) -> tuple[FloatArray, FloatArray]:
    values, derivatives = model.linearise(X, params)
    with np.errstate(all="ignore"):
        basis, scales, is_good = _scaled(derivatives[:, is_linear])
        is_good &= np.isfinite(values).all(axis=1)
        residual = np.where(is_good[:, None], y - values, 0.0)
        coefficients = _solve(basis, residual, np.zeros(len(params)))
        left = residual - np.einsum("sk,skn->sn", coefficients, basis)
        costs = np.einsum("sn,sn->s", left, left)
        completed = params.copy()
        completed[:, is_linear] = coefficients / scales
        is_good &= np.isfinite(completed.sum(axis=1) + costs)
    return completed, np.where(is_good, costs, np.inf)


def _solve(basis: FloatArray, residual: FloatArray, damping: FloatArray) -> FloatArray:
    ridge = (_RIDGE + damping)[:, None, None] * np.eye(basis.shape[1])
    gram = basis @ basis.transpose(0, 2, 1) + ridge
    right = np.einsum("skn,sn->sk", basis, residual)
    solution: FloatArray = np.linalg.solve(gram, right[:, :, None])[:, :, 0]
    return solution
