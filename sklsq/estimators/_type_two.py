"""The methods of `OrthogonalRegression`: which suits the errors that are known, and its solver."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np

from sklsq._typing import FloatArray
from sklsq.solvers.errors_in_variables import EIVSolution
from sklsq.solvers.intrinsic_scatter import line_with_scatter, plane_with_scatter
from sklsq.solvers.principal_axis import bisector, deming, reduced_major_axis
from sklsq.solvers.total_least_squares import total_least_squares
from sklsq.solvers.york import york_line
from sklsq.solvers.york_plane import york_plane

__all__ = ["BY_SCATTER", "Errors", "Fit", "Method", "covariance_root"]

_METHODS = (
    "auto",
    "york",
    "deming",
    "major_axis",
    "reduced_major_axis",
    "bisector",
    "total",
)
BY_SCATTER = {"reduced_major_axis", "bisector"}
"""Methods that know no error but the scatter, and one feature only."""


class Errors(NamedTuple):
    """Errors of one target and of the features, None where not given."""

    sigma: FloatArray | float | None
    sigma_x: FloatArray | None
    corr_xy: FloatArray | None


class Fit(NamedTuple):
    """What a solver found for one target."""

    plane: EIVSolution
    scatter: float = float("nan")
    scatter_std: float = float("nan")


@dataclass(frozen=True)
class Method:
    """A method with its options, as the estimator was given them."""

    name: str
    fit_intercept: bool
    error_ratio: float
    intrinsic_scatter: bool
    max_iter: int
    tol: float

    def chosen(self, n_features: int, errors: Errors, absolute_sigma: Any) -> Method:
        """Return the method for these errors and features, "auto" decided.

        Raises
        ------
        ValueError
            If the method is unknown, needs errors that are missing, or cannot use what is given.
        """
        if self.name not in _METHODS:
            raise ValueError(f"`method` must be one of {', '.join(_METHODS)}. Got {self.name!r}.")
        self._check_numbers()
        if errors.corr_xy is not None and errors.sigma_x is None and self.name in ("auto", "york"):
            raise ValueError("`sigma_x` must be given together with `corr_xy`. Got None.")
        name = self.name
        if name == "auto":
            name = "york" if errors.sigma_x is not None or self.intrinsic_scatter else "total"
        if name == "york":
            self._check_york(errors)
        elif errors.sigma_x is not None or errors.corr_xy is not None or self.intrinsic_scatter:
            raise ValueError(
                '`method` must be "york" or "auto" to use `sigma_x`, `corr_xy` or '
                f"`intrinsic_scatter`. Got {name!r}; state the ratio of the errors as "
                "`error_ratio` instead."
            )
        if name in BY_SCATTER:
            _check_by_scatter(name, n_features, absolute_sigma)
        return replace(self, name=name)

    def _check_numbers(self) -> None:
        ratio = self.error_ratio
        if not (isinstance(ratio, Real) and 0.0 < ratio < np.inf):
            raise ValueError(f"`error_ratio` must be positive and finite. Got {ratio!r}.")
        if not (isinstance(self.max_iter, Integral) and self.max_iter > 0):
            raise ValueError(f"`max_iter` must be a positive integer. Got {self.max_iter!r}.")
        if not (isinstance(self.tol, Real) and 0.0 <= self.tol < np.inf):
            raise ValueError(f"`tol` must be a number, not negative. Got {self.tol!r}.")

    def _check_york(self, errors: Errors) -> None:
        if errors.sigma_x is None and not self.intrinsic_scatter:
            raise ValueError(
                '`sigma_x` must be given for method "york". Got None; without errors of x use '
                '`WeightedLinearFit`, without known errors method "total".'
            )
        if errors.sigma is None and not self.intrinsic_scatter:
            raise ValueError(
                '`sigma` must be given together with `sigma_x` for method "york", which weighs one '
                'against the other. Got None; for a known ratio of the two use method "deming".'
            )

    def fit(self, X: FloatArray, y: FloatArray, errors: Errors) -> Fit:
        """Return the line or plane through points (n, p), (n,), of which X is centred."""
        options: Any = {"fit_intercept": self.fit_intercept}
        if self.name == "york":
            return self._fit_york(X, y, errors, options)
        weights = None if errors.sigma is None else np.broadcast_to(errors.sigma, y.shape) ** -2.0
        if self.name == "reduced_major_axis":
            return Fit(reduced_major_axis(X[:, 0], y, weights, **options))
        if self.name == "bisector":
            return Fit(bisector(X[:, 0], y, weights, **options))
        options["error_ratio"] = 1.0 if self.name == "major_axis" else self.error_ratio
        if self.name == "total" or X.shape[1] > 1:
            plane = total_least_squares(X, y, weights, **options)
            if plane.converged or X.shape[1] > 1:
                return Fit(plane)  # else the closed form knows a steep line from a vertical one
        return Fit(deming(X[:, 0], y, weights, **options))

    def _fit_york(self, X: FloatArray, y: FloatArray, errors: Errors, options: Any) -> Fit:
        options |= {"tol": self.tol, "max_iter": self.max_iter}
        sigma: Any = 0.0 if errors.sigma is None else errors.sigma
        sigma_x: Any = 0.0 if errors.sigma_x is None else errors.sigma_x
        if X.shape[1] > 1:
            if not self.intrinsic_scatter:
                return Fit(york_plane(X, y, sigma_x, sigma, **options))
            fit = plane_with_scatter(X, y, sigma_x, sigma, **options)
        else:
            sigma_x = sigma_x[:, 0] if np.ndim(sigma_x) else sigma_x
            if not self.intrinsic_scatter:
                return Fit(york_line(X[:, 0], y, sigma_x, sigma, errors.corr_xy, **options))
            fit = line_with_scatter(X[:, 0], y, sigma_x, sigma, errors.corr_xy, **options)
        return Fit(fit.plane, fit.scatter, fit.scatter_std)


def _check_by_scatter(name: str, n_features: int, absolute_sigma: Any) -> None:
    if n_features > 1:
        raise ValueError(
            f'`method` must be "york" or "total" for several features. Got {name!r} for '
            f"{n_features} features."
        )
    if absolute_sigma is True:
        raise ValueError(
            f"`absolute_sigma` must not be True for {name!r}, whose errors come from the scatter. "
            'Got True; leave it at "auto".'
        )


def covariance_root(covariance: FloatArray) -> FloatArray:
    """Return a root W of a covariance (m, m), ``W @ W.T``; NaN where it is not finite."""
    if not np.isfinite(covariance).all():
        return np.full(covariance.shape, np.nan)
    try:
        return np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:  # singular: some errors are zero or perfectly correlated
        scale = np.sqrt(np.diag(covariance))
    scale = np.where(scale > 0.0, scale, 1.0)
    values, vectors = np.linalg.eigh(covariance / scale / scale[:, None])
    root: FloatArray = vectors * np.sqrt(np.maximum(values, 0.0)) * scale[:, None]
    return root
