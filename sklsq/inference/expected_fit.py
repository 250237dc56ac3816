"""The fit that measurements will have if they fall exactly on the model.

Errors follow from where one measures and how well, so the estimator itself tells them when it is
fitted to the values of the model: zeros do for a model that is linear in its parameters, since its
errors do not depend on y at all; a nonlinear one is fitted to f(X; p0), from p0, with priors about
p0. What comes out is then exactly what `fit` will publish, conventions and warnings included.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sklsq._typing import FloatArray
from sklsq.exceptions import DegreesOfFreedomWarning
from sklsq.inference.linear_influence import is_linear, linear_influence
from sklsq.inference.part_of_rows import fit_quietly, predict_quietly

__all__ = ["ExpectedFit", "expected_fit"]


@dataclass(frozen=True)
class ExpectedFit:
    """Errors that a fit will have.

    Parameters
    ----------
    names : list of str
        The m parameters.
    params : ndarray of shape (m,)
        Their values, as far as they matter; NaN where they are not known.
    covariance : ndarray of shape (m, m)
    estimator : fitted estimator
        Fitted to values of the model.
    X : array_like of shape (n, p)
        Features as that estimator sees them.
    sigma : float or array_like
    transform : callable
        What makes such features of those of the user.
    """

    names: list[str]
    params: FloatArray
    covariance: FloatArray
    estimator: Any
    X: Any
    sigma: Any
    transform: Callable[[Any], Any]

    def roots(self, *points: Any) -> list[FloatArray]:
        """Return rows of the parameters (m, r), and of the fitted values at each of `points`.

        Products of rows are covariances.
        """
        points = tuple(map(self.transform, points))
        if is_linear(self.estimator):
            return self._linear_roots(points)
        if hasattr(self.estimator, "model_"):
            return self._linearised_roots(points)
        raise ValueError(
            "`estimator` must be a fit without errors of X. Got "
            f"{type(self.estimator).__name__}; use `WeightedLinearFit` with "
            "sigma = sqrt(sigma_y**2 + (slope*sigma_x)**2)."
        )

    def _linear_roots(self, points: tuple[Any, ...]) -> list[FloatArray]:
        if np.ndim(self.sigma) > 1:
            raise ValueError(
                "`sigma` must be a number or one value per row. Got a covariance, whose "
                "correlations with the new points would have to be known too."
            )
        influence = linear_influence(self.estimator, self.X, self.sigma, len(self.names))
        return [influence.params.T, *(influence.roots(X) for X in points)]

    def _linearised_roots(self, points: tuple[Any, ...]) -> list[FloatArray]:
        std = np.sqrt(self.covariance.diagonal())
        scale = np.where(std > 0.0, std, 1.0)
        eigenvalues, vectors = np.linalg.eigh(self.covariance / scale[:, None] / scale)
        root = scale[:, None] * vectors * np.sqrt(np.maximum(eigenvalues, 0.0))
        fit, slopes = self.estimator, []
        for X in points:
            predict_quietly(fit, X)  # checks X
            _, J = fit.model_.linearise(_used_features(fit, X), self.params[None])
            slopes.append(J[0].T @ root)
        return [root, *slopes]


def expected_fit(estimator: Any, X: Any, errors: Mapping[str, Any], p0: Any = None) -> ExpectedFit:
    """Return the fit to measurements at X that fall on the model.

    Parameters
    ----------
    estimator, X, p0
        As in `sklsq.expected_covariance`.
    errors : mapping of str to array_like or None
        `sigma`, and for the estimators that take them `sigma_x` and `corr_xy`.

    Raises
    ------
    ValueError
        If `sigma` or a `p0` that is needed is missing, or the errors of the estimator come from the
        scatter of the data.
    """
    if errors["sigma"] is None:
        raise ValueError(
            "`sigma` must be given: the standard deviation of the measurements to come. Got None."
        )
    estimator, X, transform = _last_step(estimator, X)
    given = {name: value for name, value in errors.items() if value is not None}
    if "absolute_sigma" not in getattr(estimator, "get_params", lambda deep: {})(deep=False):
        remedy = "; pass what it wraps" if hasattr(estimator, "estimator") else ""
        raise ValueError(
            "`estimator` must be one of sklsq that derives its errors from those of the data "
            f"alone. Got {type(estimator).__name__}{remedy}."
        )
    fresh = clone(estimator).set_params(absolute_sigma=True)
    if p0 is None and hasattr(estimator, "params_") and np.ndim(estimator.params_) == 1:
        p0 = estimator.params_
    if np.ndim(p0) > 1:
        raise ValueError(f"`p0` must be one set of parameters. Got shape {np.shape(p0)}.")
    if "p0" in fresh.get_params(deep=False):
        fitted = _nonlinear(fresh, X, given, p0)
        params = fitted.params_
    elif is_linear(fresh):
        fitted = _fit(fresh, X, np.zeros(len(X)), given)
        params = _by_name(p0, fitted.param_names_)
    else:
        fitted = _with_errors_in_x(fresh, X, given, p0)
        params = fitted.params_
    names = list(map(str, fitted.param_names_))
    return ExpectedFit(names, params, fitted.params_cov_, fitted, X, errors["sigma"], transform)


def _last_step(estimator: Any, X: Any) -> tuple[Any, Any, Callable[[Any], Any]]:
    """Return the estimator fitted last, X as it sees it, and what makes it so."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    if not hasattr(estimator, "steps"):
        return estimator, X, lambda points: points
    before, last = estimator[:-1], estimator.steps[-1][1]
    if not len(before):
        return last, X, lambda points: points
    try:
        check_is_fitted(before)
    except NotFittedError:
        before = clone(before).fit(X)
    return last, before.transform(X), before.transform


def _fit(estimator: Any, X: Any, y: FloatArray, errors: Mapping[str, Any]) -> Any:
    """Return the fit; degrees of freedom play no part, since nothing is scaled by the scatter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegreesOfFreedomWarning)
        return estimator.fit(X, y, **errors)


def _nonlinear(estimator: Any, X: Any, errors: Mapping[str, Any], p0: Any) -> Any:
    p0 = estimator.p0 if p0 is None else p0
    if p0 is None or callable(p0):
        raise ValueError(
            "`p0` must be given for a nonlinear model, whose errors depend on its parameters: a "
            f"dict or array of them. Got {p0!r}."
        )
    names = _quietly(clone(estimator).set_params(p0=p0, max_iter=1, n_starts=1), X).param_names_
    held, tied = dict(estimator.fixed or {}), dict(estimator.tied or {})
    start = dict(zip(names, _by_name(p0, names).tolist(), strict=True)) | held
    missing = [name for name in names if name not in tied and not np.isfinite(start[name])]
    if missing:
        raise ValueError(f"`p0` must give every free parameter. Got none for {missing}.")
    start = {name: value for name, value in start.items() if name not in tied}
    exact = clone(estimator).set_params(
        p0=start, start="p0", fixed=start, bounds=None, priors=None, loss="linear"
    )
    exact = _quietly(exact, X)
    y = exact.predict(X)
    if not np.isfinite(y).all():
        row = int(np.flatnonzero(~np.isfinite(y))[0])
        raise ValueError(
            f"`p0` must give finite values of the model at X. Got {y[row]} in row {row}."
        )
    values = dict(zip(names, exact.params_.tolist(), strict=True))
    priors = {name: (values[name], std) for name, (_, std) in (estimator.priors or {}).items()}
    estimator.set_params(p0=start, start="p0", priors=priors or None)
    return _fit(estimator, X, y, errors)


def _quietly(estimator: Any, X: Any) -> Any:
    """Return a fit to zeros that is needed for its names, or its fixed parameters, alone."""
    return fit_quietly(estimator, X, np.zeros(len(X)), {"sigma": 1.0})


def _with_errors_in_x(estimator: Any, X: Any, errors: Mapping[str, Any], p0: Any) -> Any:
    if getattr(estimator, "intrinsic_scatter", False):
        raise ValueError(
            "`estimator` must not look for intrinsic scatter, which only data can tell. Got "
            "intrinsic_scatter=True; add the scatter you expect to `sigma` in quadrature."
        )
    points = np.asarray(X, dtype=np.float64)
    m = points.shape[1] + int(bool(getattr(estimator, "fit_intercept", True)))
    if p0 is None or np.shape(p0 if not isinstance(p0, dict) else list(p0)) != (m,):
        raise ValueError(
            f"`p0` must hold the {m} parameters of the line, intercept first: errors of X act "
            f"along it. Got {p0!r}."
        )
    line = np.array(list(p0.values()) if isinstance(p0, dict) else p0, dtype=np.float64)
    y = points @ line[m - points.shape[1] :]
    return _fit(estimator, X, y + line[0] if m > points.shape[1] else y, errors)


def _by_name(p0: Any, names: list[str]) -> FloatArray:
    """Return values in the order of `names`, NaN where there is none."""
    if p0 is None:
        return np.full(len(names), np.nan)
    if not hasattr(p0, "keys"):
        values = np.array(p0, dtype=np.float64)
        if values.shape != (len(names),):
            raise ValueError(
                f"`p0` must have one value for each of the {len(names)} parameters "
                f"{', '.join(names)}. Got shape {values.shape}."
            )
        return values
    unknown = [name for name in p0.keys() if name not in names]
    if unknown:
        raise ValueError(f"`p0` must name parameters: {', '.join(names)}. Got {unknown[0]!r}.")
    return np.array([p0[name] if name in p0 else np.nan for name in names], dtype=np.float64)


def _used_features(fit: Any, X: Any) -> FloatArray:
    """Return the columns of X that the model of a fit takes."""
    points = np.asarray(X, dtype=np.float64)
    names, features = getattr(fit, "feature_names_in_", None), getattr(fit, "features", None)
    if names is None or features is None or isinstance(features, str | int):
        return points
    if not callable(fit.model) or not set(features) <= set(names):
        return points
    return points[:, [list(names).index(feature) for feature in features]]
