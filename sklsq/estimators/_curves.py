"""Curves of one model, as the nonlinear engine sees them: whitened residuals and derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.estimators._parameter_space import ParameterSpace
from sklsq.estimators._products import Products
from sklsq.estimators._scatter import scatter_of
from sklsq.models import Model
from sklsq.models.model import Filling
from sklsq.noise import Noise
from sklsq.solvers.nonlinear_problem import NonlinearProblem

__all__ = ["Curves", "whitened_curves"]


_WORTH_SPLITTING = 4_096  # rows


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
    root : ndarray of shape (t, n), (1, n) or (1, 1)
        1/σ, 0 where missing; or σ of a single curve.
    is_sigma : bool
        Whether it is σ: that of very many rows is inverted block by block, not held twice.
    cholesky : ndarray of shape (n, n), optional
        Lower triangle of the covariance of y, for a single curve.
    priors : ndarray of bool of shape (q,)
        Which of the priors belong to these rows.
    """

    model: Model
    space: ParameterSpace
    X: FloatArray
    Y: FloatArray
    root: FloatArray
    is_sigma: bool
    cholesky: FloatArray | None
    priors: BoolArray

    @property
    def n_samples(self) -> int:
        """Number n of rows of data."""
        return int(self.X.shape[0])

    @property
    def weight(self) -> FloatArray:
        """1/σ, 0 where missing; in the shape of `root`."""
        return 1.0 / self.root if self.is_sigma else self.root

    def problem(self, loss: str, f_scale: float) -> NonlinearProblem:
        """Return the problem that the engine solves."""
        lower, upper = self.space.box
        n_priors = int(self.priors.sum())
        splits = self.n_samples > _WORTH_SPLITTING and self._is_pointwise(lower)

        def take(rows: slice) -> NonlinearProblem:
            return self.part(rows).problem(loss, f_scale)

        return NonlinearProblem(
            evaluate=self.residuals,
            linearise=self.linearise,
            n_params=len(self.space.free),
            n_rows=self.n_samples + n_priors,
            lower=lower if self.space.is_bounded else None,
            upper=upper if self.space.is_bounded else None,
            loss=loss,
            f_scale=f_scale,
            n_priors=n_priors,
            take=take if splits else None,
            single=self._single() if self._is_simple else None,
            products=Products(self) if self._is_simple else None,
            alike=len(self.root) == 1,
        )

    @property
    def _is_simple(self) -> bool:
        """Whether neither priors nor ties nor a covariance take part."""
        return self.cholesky is None and not self.space.tied and not self.priors.any()

    def _is_pointwise(self, lower: FloatArray) -> bool:
        if self.cholesky is not None:
            return False
        start = self.space.expand(np.where(np.isfinite(lower), lower, 1.0)[None])
        return self.model.is_pointwise(self.X[:50], start)

    def _single(self) -> Callable[[Sequence[float], int], FloatArray]:
        """Return what linearises one curve."""
        space, n, m = self.space, self.n_samples, len(self.space.names)
        fill: Filling | None = None
        root, whiten = self.root, np.divide if self.is_sigma else np.multiply
        all_free, per_curve = not space.fixed, len(root) > 1
        missing = per_curve and not root.all()
        kept = np.append(space.free, m)

        def rows(params: Sequence[float], curve: int) -> FloatArray:
            nonlocal fill
            every = params if all_free else space.expand(np.array([params]))[0].tolist()
            if fill is None:
                fill = self.model.filling(self.X, np.array(every))
            out = np.empty((m + 1, n))
            fill(*every, self.Y[curve], out)
            if not all_free:
                out = out[kept]
            of_curve = root[curve if per_curve else 0]
            whiten(out, of_curve, out)
            if missing:
                out[:, of_curve == 0.0] = 0.0
            return out

        return rows

    def scatter(self, curve: int) -> float:
        """Return the whitened sum of squares of a curve about its weighted mean.

        Infinite where it is not known: for correlated errors, and where priors take part.
        """
        if self.cholesky is not None or self.priors.any():
            return math.inf
        root = self.root[curve if len(self.root) > 1 else 0]
        return scatter_of(self.Y[curve], root, is_sigma=self.is_sigma)

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
        """Divide rows (B, n) or (B, k, n) by σ, in place; zero where a point is missing."""
        if self.cholesky is not None:
            from scipy.linalg import solve_triangular

            flat = rows.reshape(-1, rows.shape[-1])
            if not np.isfinite(flat).all():
                return np.full(rows.shape, np.nan)
            white = solve_triangular(self.cholesky, flat.T, lower=True).T
            return cast(FloatArray, white.reshape(rows.shape))
        several = len(self.root) > 1
        weight = self.root[curves] if several else self.root
        if rows.ndim == 3:
            weight = weight[:, None]
        white = (np.divide if self.is_sigma else np.multiply)(rows, weight, out=rows)
        if several and not weight.all():
            white[np.broadcast_to(weight == 0.0, white.shape)] = 0.0
        return white

    def part(self, rows: slice) -> Curves:
        """Return the curves restricted to some rows, those of priors after the data.

        Rows next to each other are looked at, others are copied, for they are used many times.
        """
        n, q = self.n_samples, len(self.priors)
        chosen = range(n + int(self.priors.sum()))[rows]
        data = slice(chosen.start, min(chosen.stop, n), chosen.step)
        kept = np.zeros(q, dtype=bool)
        positions = np.flatnonzero(self.priors)
        if positions.size:
            kept[positions[[i - n for i in chosen if i >= n]]] = True
        root = self.root if self.root.shape[1] == 1 else self.root[:, data]
        apart = chosen.step > 1
        return replace(
            self,
            X=self.X[data],
            Y=np.ascontiguousarray(self.Y[:, data]) if apart else self.Y[:, data],
            root=1.0 / root if apart and self.is_sigma else root,
            is_sigma=self.is_sigma and not apart,
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
    is_sigma = missing is None and _keeps_sigma(noise, n, t)
    if is_sigma:
        root: Any = noise.values
    else:
        root = 1.0 if noise.cholesky is not None else noise.root_weight()
    weight = np.reshape(root, (1, 1)) if np.ndim(root) == 0 else np.atleast_2d(np.transpose(root))
    if missing is not None:
        weight = np.where(missing.T, 0.0, weight)
    counts = (
        np.full(t, n) if weight.all() else np.count_nonzero(np.broadcast_to(weight, (t, n)), axis=1)
    )
    priors = np.ones(len(space.priors), dtype=bool)
    targets = np.ascontiguousarray(Y.T)
    made = Curves(model, space, X, targets, weight, is_sigma, noise.cholesky, priors)
    return made, counts


def _keeps_sigma(noise: Noise, n_samples: int, n_curves: int) -> bool:
    """Whether σ is an array of one curve, too long to be held as 1/σ as well."""
    return (
        n_samples > _WORTH_SPLITTING
        and n_curves == 1
        and noise.values_are == "sigma"
        and noise.cholesky is None
        and isinstance(noise.values, np.ndarray)
    )
