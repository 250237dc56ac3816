r"""Errors of the points of a fit, in the convention of that fit.

Measured values of standard deviation σ may come with several conventions: σ as given, σ scaled by
the scatter (``sqrt(reduced_chi2_)``), σ unknown, σ of a transformed y, or σ of y less the curve,
where the features have errors as well. With slopes :math:`b` of the curve the latter is

.. math:: \sigma_i^2 = \sigma_{y,i}^2 - 2 b \rho_i \sigma_{x,i} \sigma_{y,i}
          + b^2 \sigma_{x,i}^2 , \qquad
          \hat x_i = x_i + r_i (b \sigma_{x,i}^2 - \rho_i \sigma_{x,i} \sigma_{y,i}) / \sigma_i^2 .

The measured :math:`x_i` shares its error with the residual :math:`r_i`; the *adjusted*
:math:`\hat x_i`, where the point most likely belongs, does not depend on the residual, and it is by
:math:`\hat x_i` that the parameters follow the point (York et al., Am. J. Phys. 72, 367 (2004)).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from sklsq._typing import BoolArray, FloatArray
from sklsq.inference.fitted_values import (
    column_of,
    fitted_slopes,
    fitted_with_std,
    last_step,
    named_like,
    summary_of,
    transformed_part,
)
from sklsq.inference.summary import FitSummary
from sklsq.noise import Noise, check_correlation, check_index, check_noise, check_sigma_x

__all__ = ["ErrorsOfRows", "errors_of_rows", "solve_lower"]


@dataclass(frozen=True)
class ErrorsOfRows:
    """Errors of the measured values of one target, in the conventions of a fit.

    Parameters
    ----------
    sigma : ndarray of shape (n,)
        Standard deviations of the measured values; NaN where neither known nor implied.
    unit : ndarray of shape (n,)
        What the standard deviations of the fitted values are to be divided by to become the square
        root of the leverage: σ in the convention in which the fit published them.
    known : bool
        Whether `sigma` is known from elsewhere than from the scatter about the fit.
    cholesky : ndarray of shape (n, n) or None
        Lower triangle of the covariance of the measured values, if they are correlated.
    shift : ndarray of shape (n, p) or None
        How far the most likely true features lie from the measured ones, for a residual of one;
        None where features are exact. With slopes b it is ``(b σx² - ρ σx σy) / σ²``, σ² being the
        variance of the residual: a place that does not depend on the residual, as the measured one
        does (the adjusted points of York 1966).
    lift : ndarray of shape (n,) or None
        How far the curve at the shifted features lies from that at the measured ones.
    removed : ndarray of bool of shape (n,) or None
        Rows whose weight is zero; their `sigma` is NaN.
    of_y, of_x : ndarray of shape (n,), and of shape (n, p) or None
        Standard deviations of y by itself, and of the features if these were given, in the
        convention of `sigma`: the bars of a picture.
    """

    sigma: FloatArray
    unit: FloatArray
    known: bool
    cholesky: FloatArray | None = None
    shift: FloatArray | None = None
    lift: FloatArray | None = None
    removed: BoolArray | None = None
    of_y: FloatArray | None = None
    of_x: FloatArray | None = None

    def whiten(self, residual: FloatArray) -> FloatArray:
        """Return residuals (n,) in units of σ and, if the measured values were correlated, not."""
        if self.cholesky is None:
            return residual / self.sigma
        return solve_lower(self.cholesky, residual)

    def adjusted(self, X: Any, residual: FloatArray) -> Any:
        """Return the features, of the adjusted points where they have errors."""
        if self.shift is None:
            return X
        return named_like(X, np.asarray(X, dtype=np.float64) + self.shift * residual[:, None])

    def hat(self, covariance: FloatArray) -> FloatArray:
        """Return the symmetric hat matrix (n, n) from the published covariance of fitted values."""
        if self.cholesky is None:
            return covariance / np.outer(self.unit, self.unit)
        half = solve_lower(self.cholesky, covariance)
        return solve_lower(self.cholesky, half.T)


def solve_lower(triangle: FloatArray, right: FloatArray) -> FloatArray:
    """Return the solution of a lower triangular system."""
    from scipy.linalg import solve_triangular

    solution: FloatArray = solve_triangular(triangle, right, lower=True)
    return solution


def errors_of_rows(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sigma: Any = None,
    sample_weight: Any = None,
    sigma_x: Any = None,
    corr_xy: Any = None,
    target: int = 0,
    as_fitted: bool = True,
) -> ErrorsOfRows:
    """Return the errors of the points of a fit, in its conventions.

    Parameters
    ----------
    estimator : fitted estimator
        See `residual_table`, as for all other parameters.
    X, y, sigma, sample_weight, sigma_x, corr_xy, target
        See `residual_table`.
    as_fitted : bool, default=True
        Whether to refuse errors that differ from point to point where those of the fit do not.

    Raises
    ------
    ValueError
        See `residual_table`.
    """
    measured = column_of(y, target)
    if np.shape(X)[:1] != measured.shape:
        raise ValueError(
            f"`y` must have one value for each of the {np.shape(X)[0]} rows of X. Got "
            f"{len(measured)}."
        )
    summary = summary_of(estimator)
    weighted = summary is not None and summary.sigma_given
    given = sigma is not None or sample_weight is not None
    if weighted and not given:
        raise ValueError(
            "`sigma` must hold the standard deviations of the points, since the fit was weighted "
            "by them. Got None; pass the sigma of the fit, or its sample_weight."
        )
    noise, missing, removed = _noise_of_target(X, y, sigma, sample_weight, measured, target)
    cholesky = noise.cholesky
    stated = np.sqrt(np.einsum("ij,ij->i", cholesky, cholesky)) if cholesky is not None else None
    with np.errstate(divide="ignore"):  # of a weight of zero
        total = np.broadcast_to(noise.sigma() if stated is None else stated, measured.shape)
    there = total[~missing]
    unweighted = summary is not None and not weighted
    if as_fitted and given and unweighted and (there != there[:1]).any():
        raise ValueError(
            "`sigma` must be left out, or be one number: the fit gave every point the same "
            "weight. Got standard deviations that differ; fit again with `sigma`."
        )
    transformed = None if given else transformed_part(estimator, X)
    if transformed is not None:
        total = _stretch(estimator, X, *transformed, target)
    total = np.where(missing, np.nan, total) if missing.any() else total
    of_y, noisy = total, _noisy_features(estimator, X, total, target, sigma_x, corr_xy)
    if sigma_x is not None and noisy is not None:
        total = np.sqrt(total**2 + noisy.variance)
    scatter = getattr(last_step(estimator), "intrinsic_scatter_", None)
    extra = 0.0 if scatter is None else float(np.atleast_1d(scatter)[target]) ** 2
    total = np.sqrt(total**2 + extra) if extra else total
    scale = _published_scale(estimator, X, summary, measured, total, target)
    unit = scale * (total if weighted or not given or summary is None else np.ones_like(total))
    known = given and not (weighted and summary is not None and not summary.absolute_sigma)
    factor = 1.0 if known else scale
    root = None if cholesky is None else factor * cholesky
    errors = ErrorsOfRows(factor * total, unit, known, root, of_y=factor * of_y)
    if sigma_x is not None:
        of_x = np.broadcast_to(check_sigma_x(sigma_x, *np.shape(X)), np.shape(X))
        errors = replace(errors, of_x=factor * of_x)
    if removed is not None:
        errors = replace(errors, removed=removed)
    if noisy is None:
        return errors
    shift = noisy.covariance / (noisy.stated + noisy.variance + extra)[:, None]
    lift = np.einsum("ij,ij->i", noisy.slopes, shift)
    return replace(errors, shift=shift, lift=lift)


def _noise_of_target(
    X: Any, y: Any, sigma: Any, sample_weight: Any, measured: FloatArray, target: int
) -> tuple[Noise, BoolArray, BoolArray | None]:
    """Return the errors of a target, which of its rows have none, and which have no weight."""
    check_index("sigma", sigma, X, y)
    check_index("sample_weight", sample_weight, X, y)
    n_targets = None if np.ndim(y) == 1 else np.shape(y)[1]
    missing = np.zeros(len(measured), dtype=bool)

    def filled(errors: Any) -> Any:
        nonlocal missing
        if n_targets is None or errors is None or np.shape(errors) != np.shape(y):
            return errors
        # Where nothing was measured, a curve needs no error.
        given, values = np.asarray(errors, dtype=np.float64), np.asarray(y, dtype=np.float64)
        missing = np.isnan(given[:, target]) & np.isnan(measured)
        return np.where(np.isnan(given) & np.isnan(values), 1.0, given)

    noise = check_noise(filled(sigma), filled(sample_weight), len(measured), n_targets)
    noise = noise.target(target)
    kept = noise.kept
    if kept is None:
        return noise, missing, None
    return noise, missing | ~kept, ~kept


def _stretch(estimator: Any, X: Any, fit: Any, seen_by_it: Any, target: int) -> FloatArray:
    """Return the factor from errors of a transformed y, equal in all points, to those of y."""
    inner = fit.estimator_
    _, std = fitted_with_std(estimator, X, target)
    _, transformed = fitted_with_std(inner, seen_by_it, target)
    stretch: FloatArray = std / transformed
    return stretch


def _published_scale(
    estimator: Any,
    X: Any,
    summary: FitSummary | None,
    measured: FloatArray,
    sigma: FloatArray,
    target: int,
) -> float:
    """Return the factor by which the fit scaled σ; NaN if its scatter has no degree of freedom."""
    if summary is not None and summary.absolute_sigma:
        return 1.0
    if summary is not None and not hasattr(last_step(estimator), "error_ratio"):
        dof, chi2 = int(summary.dof[target]), float(summary.chi2[target])
        return float(np.sqrt(chi2 / dof)) if dof > 0 and chi2 > 0.0 else float("nan")
    # Of another library, or a fit of perpendicular distances: what counts is the scatter in y.
    pulls = (measured - column_of(estimator.predict(X), target)) / sigma
    pulls = pulls[np.isfinite(pulls)]
    dof = len(pulls) if summary is None else int(summary.dof[target])
    return float(np.sqrt(pulls @ pulls / dof)) if dof > 0 and pulls.any() else float("nan")


class _NoisyFeatures(NamedTuple):
    """What errors of the features do to residuals, on any common scale."""

    slopes: FloatArray  # (n, p)
    covariance: FloatArray  # (n, p), of the features with minus the residuals
    variance: FloatArray  # (n,), which they add to that of y
    stated: FloatArray  # (n,), variance of y itself


def _noisy_features(
    estimator: Any, X: Any, sigma: FloatArray, target: int, sigma_x: Any, corr_xy: Any
) -> _NoisyFeatures | None:
    """Return the effect of errors in the features; None where they are exact."""
    ratio = getattr(last_step(estimator), "error_ratio", None)
    if sigma_x is None and ratio is None:
        return None
    slopes = fitted_slopes(estimator, X, target)
    if sigma_x is None:  # only the ratio of the variances is known, or assumed
        square = np.einsum("ij,ij->i", slopes, slopes)
        method = last_step(estimator).method
        if method in ("major_axis", "bisector"):
            ratio = 1.0
        stated = square if method == "reduced_major_axis" else np.full_like(square, ratio)
        return _NoisyFeatures(slopes, slopes, square, stated)
    check_index("sigma_x", sigma_x, X, None)
    n_samples, n_features = np.shape(X)
    errors = check_sigma_x(sigma_x, n_samples, n_features)
    covariance = slopes * errors**2
    across = slopes * errors
    variance = np.einsum("ij,ij->i", across, across)
    if corr_xy is not None:
        shared = check_correlation(corr_xy, n_samples, n_features) * sigma * errors[:, 0]
        covariance = covariance - shared[:, None]
        variance = variance - 2.0 * slopes[:, 0] * shared
    return _NoisyFeatures(slopes, covariance, variance, sigma**2)
