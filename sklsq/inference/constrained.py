r"""The minimum of χ² with some parameters held at given values.

Let S be the parameters that are held, and δ their distance from the minimum. What is returned is
the rise of χ² above its minimum, in its unit (`sklsq.inference.refitting`), minimised over all the
others, in one of three ways:

* *linear models*. χ² is a quadratic form with the inverse covariance C⁻¹ as its matrix; minimising
  it over the others leaves the Schur complement, the inverse of the block :math:`C_{SS}`:

  .. math:: \Delta\chi^2 = \delta^\mathsf{T} C_{SS}^{-1}\,\delta, \qquad
            \hat p(\delta) = \hat p + C_{\cdot S}\,C_{SS}^{-1}\,\delta .

* *nonlinear models* are fitted again with these parameters fixed. One that is tied, a formula of
  the others, is held by a prior whose width, τ times its standard error, is so small that it takes
  away only :math:`\tau^2 \Delta\chi^2` of the rise.

* *a line or plane with errors in x* (York et al., Am. J. Phys. 72, 367 (2004)) has

  .. math:: \chi^2(a, b) = \sum_i \frac{(y_i - a - b \cdot x_i)^2}
            {\sigma_{y,i}^2 - 2 b \rho_i \sigma_{x,i} \sigma_{y,i} + \sum_j b_j^2 \sigma_{x,ij}^2},

  minimised over those of a and b that are not held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.optimize import least_squares

from sklsq._typing import FloatArray, IntArray
from sklsq.inference.batched import used_columns
from sklsq.inference.refitting import RepeatableFit

__all__ = [
    "SIGNIFICANT",
    "ByDistance",
    "ByRefit",
    "ConstrainedMinimum",
    "LowerMinimum",
    "Quadratic",
    "constrained_minimum",
]

_WIDTH = 1e-4  # of the prior that holds a tied parameter, in standard errors
SIGNIFICANT = 1e-3  # units of χ², from which on another minimum is lower
_SAME = 1e-6  # relative difference of χ² as published and as computed here


class LowerMinimum(Exception):
    """χ² is lower than at the minimum of the fit, at `params`."""

    def __init__(self, params: FloatArray, chi2: float) -> None:
        super().__init__(params, chi2)
        self.params, self.chi2 = params, chi2


class ConstrainedMinimum(Protocol):
    """χ² minimised over the parameters that are not held."""

    def __call__(
        self, held: IntArray, values: FloatArray, start: FloatArray
    ) -> tuple[float, FloatArray]:
        """Return the rise of χ² and all parameters (m,).

        Parameters
        ----------
        held : ndarray of int of shape (k,)
            The parameters that are held.
        values : ndarray of shape (k,)
            At which values.
        start : ndarray of shape (m,)
            Where to begin.
        """
        ...


def constrained_minimum(fit: RepeatableFit) -> ConstrainedMinimum:
    """Return how χ² is minimised for this estimator.

    Raises
    ------
    ValueError
        If the estimator does not minimise a χ² that can be followed.
    """
    options = fit.options
    if {"fixed", "p0"} <= options.keys():
        if options.get("loss", "linear") != "linear":
            raise _not_possible(f"minimises the loss {options['loss']!r} instead of χ²")
        return ByRefit(fit)
    if fit.takes_errors_of_x:
        york = options.get("method") == "york" or (
            options.get("method") == "auto" and "sigma_x" in fit.errors
        )
        if not york or options.get("intrinsic_scatter"):
            raise _not_possible("does not minimise a χ² of known errors (method york does)")
        return ByDistance(fit)
    if "estimator" in options:
        raise _not_possible(f"wraps another estimator ({type(fit.estimator).__name__})")
    return Quadratic(fit)


def _not_possible(reason: str) -> ValueError:
    return ValueError(
        f"`estimator` must minimise χ² for its profile to be followed. Got one that {reason}; "
        'take method="wald" or method="bootstrap" of `confidence_intervals`.'
    )


@dataclass(frozen=True)
class Quadratic:
    """For linear models."""

    fit: RepeatableFit

    def __call__(
        self, held: IntArray, values: FloatArray, start: FloatArray
    ) -> tuple[float, FloatArray]:
        """Return the rise of χ² and all parameters; see `ConstrainedMinimum`."""
        difference = values - self.fit.params[held]
        covariance = self.fit.covariance
        along = np.linalg.solve(covariance[np.ix_(held, held)], difference)
        return float(difference @ along), self.fit.params + covariance[:, held] @ along


@dataclass(frozen=True)
class ByRefit:
    """For nonlinear models; raises `LowerMinimum` on finding one."""

    fit: RepeatableFit

    def __call__(
        self, held: IntArray, values: FloatArray, start: FloatArray
    ) -> tuple[float, FloatArray]:
        """Return the rise of χ² and all parameters; see `ConstrainedMinimum`."""
        fit, options = self.fit, self.fit.options
        tied = options.get("tied") or {}
        fixed, priors = dict(options.get("fixed") or {}), dict(options.get("priors") or {})
        extra = 0.0
        for j, value in zip(held, map(float, values), strict=True):
            name = fit.names[j]
            if name in tied:
                priors[name], added = _held_by_prior(value, fit.std[j], priors.get(name))
                extra += added
            else:
                fixed[name] = value
        if not priors and len({*fixed, *tied}) == len(fit.names) and not tied:
            params = start.copy()
            params[held] = values
            chi2 = self._chi2(params)
        else:
            refit = fit.again(p0=start, start="p0", fixed=fixed, priors=priors, verbose=0)
            params, chi2 = refit.params_, float(refit.chi2_) + extra
        if not np.isfinite(chi2):
            return np.inf, start
        rise = (chi2 - fit.chi2) / fit.scale
        if rise < -SIGNIFICANT:
            raise LowerMinimum(params, chi2)
        return max(rise, 0.0), params

    def _chi2(self, params: FloatArray) -> float:
        """Return χ² at parameters none of which is left to minimise."""
        fit = self.fit
        with np.errstate(all="ignore"):
            residual = fit.y - fit.estimator.model_.evaluate(used_columns(fit), params[None])[0]
        if not np.isfinite(residual).all():
            return np.inf
        sigma = fit.errors.get("sigma", np.ones(()))
        if sigma.ndim == 2:
            residual = np.linalg.solve(np.linalg.cholesky(sigma), residual)
            return float(residual @ residual)
        return float(np.square(residual / sigma).sum())


def _held_by_prior(
    value: float, std: float, known: tuple[float, float] | None
) -> tuple[tuple[float, float], float]:
    """Return a narrow prior, and what χ² lacks if it was merged with one that was there."""
    width = _WIDTH * std
    if known is None:
        return (value, width), 0.0
    mean, broad = map(float, known)
    share = width**2 / (width**2 + broad**2)
    merged = (value + share * (mean - value), width * np.sqrt(1.0 - share))
    return merged, (value - mean) ** 2 / (width**2 + broad**2)


class ByDistance:
    """For a line or plane with errors in x.

    Parameters
    ----------
    fit : RepeatableFit
        By York's method.
    """

    def __init__(self, fit: RepeatableFit) -> None:
        self.fit = fit
        X = np.asarray(fit.X, dtype=np.float64)
        sigma_x = fit.errors.get("sigma_x", np.zeros(()))
        if sigma_x.ndim == 1 and X.shape[1] == 1:
            sigma_x = sigma_x[:, None]
        constant = len(fit.names) > X.shape[1]
        self._design = np.column_stack([np.ones(len(X)), X]) if constant else X
        self._sigma_x = np.broadcast_to(sigma_x, X.shape)
        self._sigma = np.broadcast_to(fit.errors.get("sigma", np.ones(())), len(X))
        self._corr = np.broadcast_to(fit.errors.get("corr_xy", np.zeros(())), len(X))
        chi2 = float(np.sum(np.square(self._pulls(fit.params))))
        if not abs(chi2 - fit.chi2) <= _SAME * fit.chi2:
            raise _not_possible(f"has χ² = {fit.chi2:g} where its distances give {chi2:g}")

    def _pulls(self, params: FloatArray) -> FloatArray:
        slopes = params[-self._sigma_x.shape[1] :]
        across = self._sigma_x * slopes
        variance = self._sigma**2 + np.square(across).sum(axis=1)
        variance -= 2.0 * self._corr * self._sigma * across[:, 0]
        pulls: FloatArray = (self.fit.y - self._design @ params) / np.sqrt(variance)
        return pulls

    def __call__(
        self, held: IntArray, values: FloatArray, start: FloatArray
    ) -> tuple[float, FloatArray]:
        """Return the rise of χ² and all parameters; see `ConstrainedMinimum`."""
        params, others = start.copy(), np.setdiff1d(np.arange(len(start)), held)
        params[held] = values

        def pulls(rest: FloatArray) -> FloatArray:
            params[others] = rest
            return self._pulls(params)

        if len(others):
            scale: Any = np.where(self.fit.std[others] > 0.0, self.fit.std[others], 1.0)
            found = least_squares(
                pulls, start[others], x_scale=scale, method="lm", ftol=1e-15, xtol=1e-12
            )
            params[others] = found.x
        chi2 = float(np.sum(np.square(self._pulls(params))))
        return max((chi2 - self.fit.chi2) / self.fit.scale, 0.0), params
