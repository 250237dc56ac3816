"""Curves of one model, as the nonlinear engine sees them: whitened residuals and derivatives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.estimators._parameter_space import ParameterSpace
from sklsq.models import Model
from sklsq.noise import Noise
from sklsq.solvers.nonlinear_problem import NonlinearProblem

__all__ = ["Curves", "whitened_curves"]


@dataclass(frozen=True)
class Curves:
    """The data of t curves that share their features and model.

    Parameters
    ----------
    model : Model
        y = f(X; parameters).
    space : ParameterSpace
        Which parameters are free.
    X : ndarray of shape (n, p)
        Features.
    Y : ndarray of shape (t, n)
        Measured values, 0 where missing.
    weight : ndarray of shape (t, n), (1, n) or (1, 1)
        1/σ, 0 where missing.
    cholesky : ndarray of shape (n, n), optional
        Lower triangle of the covariance of y, for a single curve.
    priors : ndarray of bool of shape (q,)
        Which of the priors belong to these rows.
    """

    model: Model
    space: ParameterSpace
    X: FloatArray
    Y: FloatArray
    weight: FloatArray
    cholesky: FloatArray | None
    priors: BoolArray

    @property
    def n_samples(self) -> int:
        """Number n of rows of data."""
        return int(self.X.shape[0])

    def problem(self, loss: str, f_scale: float) -> NonlinearProblem:
        """Return the problem that the engine solves."""
        lower, upper = self.space.box
        start = self.space.expand(np.where(np.isfinite(lower), lower, 1.0)[None])
        splits = self.cholesky is None and self.model.is_pointwise(self.X[:50], start)

        def take(rows: slice) -> NonlinearProblem:
            return self._take(rows).problem(loss, f_scale)

        return NonlinearProblem(
            evaluate=self.residuals,
            linearise=self.linearise,
            n_params=len(self.space.free),
            n_rows=self.n_samples + int(self.priors.sum()),
            lower=lower,
            upper=upper,
            loss=loss,
            f_scale=f_scale,
            n_priors=int(self.priors.sum()),
            take=take if splits else None,
        )

    def residuals(self, free: FloatArray, curves: IntArray) -> FloatArray:
        """Return whitened residuals (B, n + q), those of priors last."""
        params = self.space.expand(free)
        residuals = self._whitened(self.Y[curves] - self.model.evaluate(self.X, params), curves)
        return residuals if not self.priors.any() else self._with_priors(residuals, params)

    def linearise(self, free: FloatArray, curves: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return whitened residuals (B, n + q) and derivatives (B, k, n + q) of the model."""
        params = self.space.expand(free)
        values, J = self.model.linearise(self.X, params)
        residuals = self._whitened(self.Y[curves] - values, curves)
        J = self._whitened(self.space.reduce(J, params), curves)
        if not self.priors.any():
            return residuals, J
        index, _, std = self.space.prior_rows
        D = self.space.derivative(params)[:, index[self.priors]]
        rows = D.swapaxes(1, 2) / std[self.priors]
        return self._with_priors(residuals, params), np.concatenate([J, rows], axis=2)

    def _with_priors(self, residuals: FloatArray, params: FloatArray) -> FloatArray:
        index, mean, std = (part[self.priors] for part in self.space.prior_rows)
        return np.concatenate([residuals, (mean - params[:, index]) / std], axis=1)

    def _whitened(self, rows: FloatArray, curves: IntArray) -> FloatArray:
        """Return rows (B, n) or (B, k, n) divided by σ, zero where a point is missing."""
        if self.cholesky is not None:
            from scipy.linalg import solve_triangular

            flat = rows.reshape(-1, rows.shape[-1])
            if not np.isfinite(flat).all():
                return np.full(rows.shape, np.nan)
            white = solve_triangular(self.cholesky, flat.T, lower=True).T
            return cast(FloatArray, white.reshape(rows.shape))
        weight = self.weight[curves] if len(self.weight) > 1 else self.weight
        if rows.ndim == 3:
            weight = weight[:, None]
        white = rows * weight
        if len(self.weight) > 1 and not weight.all():
            white[np.broadcast_to(weight == 0.0, white.shape)] = 0.0
        return white

    def _take(self, rows: slice) -> Curves:
        n, q = self.n_samples, len(self.priors)
        chosen = range(n + int(self.priors.sum()))[rows]
        data = slice(chosen.start, min(chosen.stop, n), chosen.step)
        kept = np.zeros(q, dtype=bool)
        positions = np.flatnonzero(self.priors)
        if positions.size:
            kept[positions[[i - n for i in chosen if i >= n]]] = True
        return replace(
            self,
            X=self.X[data],
            Y=self.Y[:, data],
            weight=self.weight if self.weight.shape[1] == 1 else self.weight[:, data],
            priors=kept,
        )


def whitened_curves(
    model: Model,
    space: ParameterSpace,
    X: FloatArray,
    Y: FloatArray,
    noise: Noise,
    missing: BoolArray | None,
) -> tuple[Curves, IntArray]:
    """Return the curves of a fit, and the number (t,) of points of each.

    Parameters
    ----------
    model, space, X
        As in `Curves`.
    Y : ndarray of shape (n, t)
        Measured values, finite.
    noise : Noise
        What is known of their errors.
    missing : ndarray of bool of shape (n, t) or None
        Which of them are not there.
    """
    kept = noise.kept
    if kept is not None and not noise.per_target:
        X, Y, noise = X[kept], Y[kept], noise.select(kept)
        missing = None if missing is None else missing[kept]
    n, t = Y.shape
    root: Any = 1.0 if noise.cholesky is not None else noise.root_weight()
    weight = np.reshape(root, (1, 1)) if np.ndim(root) == 0 else np.atleast_2d(np.transpose(root))
    if missing is not None:
        weight = np.where(missing.T, 0.0, weight)
    counts = (
        np.full(t, n) if weight.all() else np.count_nonzero(np.broadcast_to(weight, (t, n)), axis=1)
    )
    priors = np.ones(len(space.priors), dtype=bool)
    targets = np.ascontiguousarray(Y.T)
    return Curves(model, space, X, targets, weight, noise.cholesky, priors), counts
