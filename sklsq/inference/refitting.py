r"""A fit together with its data, so that it can be repeated with something changed.

Profiles hold a parameter, the bootstrap replaces y, and both need the scale of χ²: 1 where errors
are absolute, the reduced χ² :math:`s^2` where they are scaled by the scatter. In this unit a rise
of χ² above its minimum has, for k parameters asked about at once, the quantile

.. math:: q_k^2 = \chi^2_k(\mathrm{level}) \quad\text{or}\quad k\,F_{k,\nu}(\mathrm{level}),

the second with the ν degrees of freedom behind :math:`s^2`; for k = 1 these are the squares of the
normal and of Student's quantile. (Bates & Watts, *Nonlinear Regression Analysis and Its
Applications*, 1988, 6.1; Glover, Jenkins & Doney, *Modeling Methods for Marine Science*, 3.4.2.)
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any, cast

import numpy as np
from scipy.special import chdtri, fdtri
from sklearn.base import clone

from sklsq._typing import FloatArray

__all__ = ["RepeatableFit", "check_level", "fit_to"]

_PUBLISHED = ("params_", "params_cov_", "params_std_", "param_names_", "chi2_", "dof_")

_ROUNDING = 64.0 * float(np.finfo(np.float64).eps)  # of a residual, relative to y


@dataclass(frozen=True)
class RepeatableFit:
    """A fitted estimator, and the data it was fitted to.

    Parameters
    ----------
    estimator : fitted estimator
        The last step of a pipeline, the best of a search.
    X : array_like of shape (n, p)
        Features as that estimator sees them.
    y : ndarray of shape (n,)
        Measured values.
    errors : dict
        Those of `sigma`, `sigma_x` and `corr_xy` that are known.
    names : tuple of str
        The m parameters.
    params, std : ndarray of shape (m,)
        Their values and standard deviations.
    covariance : ndarray of shape (m, m)
    chi2 : float
    dof : int
    absolute : bool
        Whether errors are absolute.
    """

    estimator: Any
    X: Any
    y: FloatArray
    errors: dict[str, Any]
    names: tuple[str, ...]
    params: FloatArray
    std: FloatArray
    covariance: FloatArray
    chi2: float
    dof: int
    absolute: bool

    @property
    def scale(self) -> float:
        """Unit of χ²: 1, or the reduced χ²."""
        if self.absolute:
            return 1.0
        return self.chi2 / self.dof if self.dof > 0 else float("nan")

    @property
    def options(self) -> dict[str, Any]:
        """Parameters of the estimator, in the sense of scikit-learn."""
        return cast(dict[str, Any], self.estimator.get_params(deep=False))

    @property
    def takes_errors_of_x(self) -> bool:
        """Whether the fit knows of errors in x."""
        return "sigma_x" in signature(self.estimator.fit).parameters

    @property
    def noisy_x(self) -> bool:
        """Whether x has errors, so that y alone does not say what was measured."""
        return "sigma_x" in self.errors or (self.takes_errors_of_x and "p0" not in self.options)

    @property
    def single_curve(self) -> bool:
        """Whether the fit takes one curve at a time, and no weights for each."""
        covariance = self.errors.get("sigma", np.zeros(1)).ndim == 2
        return covariance or self.noisy_x or "estimator" in self.options

    @property
    def exact(self) -> bool:
        """Whether the scatter, by which errors are scaled, is that of rounding."""
        if self.absolute or not np.isfinite(self.chi2):
            return False
        sigma = self.errors.get("sigma", np.ones(()))
        sigma = np.sqrt(np.diag(sigma)) if sigma.ndim == 2 else sigma
        return self.chi2 <= len(self.y) * (_ROUNDING * float(np.max(np.abs(self.y) / sigma))) ** 2

    def quantile(self, level: float, together: int = 1) -> float:
        """Return the root of the rise of χ², in its unit, that `together` parameters have."""
        if self.absolute:
            return float(np.sqrt(chdtri(together, 1.0 - level)))
        if self.dof <= 0:
            return float("nan")
        return float(np.sqrt(together * fdtri(together, self.dof, level)))

    def index(self, name: str, argument: str = "params") -> int:
        """Return the number of a parameter."""
        if name not in self.names:
            raise ValueError(
                f"`{argument}` must name parameters of the fit: {', '.join(self.names)}. "
                f"Got {name!r}."
            )
        return self.names.index(name)

    def bounds(self) -> FloatArray:
        """Return lower and upper bounds (2, m) of the parameters; infinite where there are none."""
        box = np.array([[-np.inf], [np.inf]]) * np.ones(len(self.names))
        given = self.options.get("bounds")
        if given is None:
            return box
        if isinstance(given, dict):
            for name, pair in given.items():
                ends = zip(pair, (-np.inf, np.inf), strict=True)
                box[:, self.index(name)] = [none if end is None else end for end, none in ends]
            return box
        box[:] = [np.broadcast_to(np.asarray(end, dtype=np.float64), box.shape[1]) for end in given]
        return box

    def again(
        self, *, X: Any = None, y: Any = None, errors: dict[str, Any] | None = None, **options: Any
    ) -> Any:
        """Return another fit, without its warnings, with data or options changed."""
        estimator = clone(self.estimator).set_params(**options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return estimator.fit(
                self.X if X is None else X,
                self.y if y is None else y,
                **(self.errors if errors is None else errors),
            )

    def restarted(self, params: FloatArray) -> RepeatableFit:
        """Return the minimum that a descent from `params` leads to."""
        estimator = self.again(p0=params, start="p0")
        return replace(self, estimator=estimator, **_published(estimator))


def fit_to(
    estimator: Any, X: Any, y: Any, *, sigma: Any = None, sigma_x: Any = None, corr_xy: Any = None
) -> RepeatableFit:
    """Return a clone of `estimator` fitted to the data.

    Parameters
    ----------
    estimator : estimator
        Fitted or not. A fitted `NonlinearLSQ` gives its minimum as the start. Of a pipeline, the
        steps before the last are fitted once; of a search, the best estimator is taken.
    X : array_like of shape (n, p)
    y : array_like of shape (n,)
    sigma, sigma_x, corr_xy : optional
        Errors in any form that `estimator.fit` takes.

    Raises
    ------
    ValueError
        If y is not one-dimensional, or the estimator does not publish parameters with covariance.
    """
    if np.ndim(y) != 1:
        raise ValueError(
            f"`y` must be one-dimensional, one target at a time. Got shape {np.shape(y)}; "
            "call once for each column."
        )
    last, X = _last_step(estimator, X, y)
    fresh = clone(last)
    known = getattr(last, "params_", None)
    if known is not None and "p0" in fresh.get_params(deep=False):
        if known.ndim == 1 and np.isfinite(known).all():
            fresh.set_params(p0=known.copy(), start="auto")
    given = {"sigma": sigma, "sigma_x": sigma_x, "corr_xy": corr_xy}
    errors = {name: value for name, value in given.items() if value is not None}
    fresh.fit(X, y, **errors)
    missing = [name for name in _PUBLISHED if not hasattr(fresh, name)]
    if missing:
        raise ValueError(
            f"`estimator` must publish parameters with their covariance, as those of sklsq do. "
            f"Got {type(fresh).__name__}, without {', '.join(missing)}."
        )
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in errors.items()}
    X = X if hasattr(X, "iloc") else np.asarray(X, dtype=np.float64)
    return RepeatableFit(fresh, X, np.asarray(y, dtype=np.float64), arrays, **_published(fresh))


def _published(fitted: Any) -> dict[str, Any]:
    return {
        "names": tuple(map(str, fitted.param_names_)),
        "params": fitted.params_,
        "std": fitted.params_std_,
        "covariance": fitted.params_cov_,
        "chi2": float(fitted.chi2_),
        "dof": int(fitted.dof_),
        "absolute": bool(fitted.absolute_sigma_),
    }


def _last_step(estimator: Any, X: Any, y: Any) -> tuple[Any, Any]:
    """Return the estimator that is fitted last, out of a search and a pipeline, and its X."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    if hasattr(estimator, "estimator") and hasattr(estimator, "refit"):
        raise ValueError(
            f"`estimator` must be fitted if it is a search. Got {type(estimator).__name__} without "
            "best_estimator_; fit it, or pass the estimator to be used."
        )
    if not hasattr(estimator, "steps"):
        return estimator, X
    if len(estimator.steps) > 1:
        X = clone(estimator[:-1]).fit_transform(X, y)
    return _last_step(estimator.steps[-1][1], X, y)


def check_levels(levels: Any) -> tuple[float, ...]:
    """Return probabilities as a tuple.

    Raises
    ------
    ValueError
        If it is no sequence, empty, or one does not lie between 0 and 1.
    """
    if np.ndim(levels) != 1 or not len(levels):
        raise ValueError(
            f"`levels` must be a sequence of probabilities, as (0.6827, 0.9545). Got {levels!r}."
        )
    for level in levels:
        check_level(level, "levels")
    return tuple(map(float, levels))


def check_level(level: Any, name: str = "level") -> None:
    """Raise a ValueError unless `level` is a probability between 0 and 1."""
    if not (isinstance(level, (float, np.floating)) and 0.0 < level < 1.0):
        raise ValueError(
            f"`{name}` must lie between 0 and 1, as 0.6827 for one standard error. Got {level!r}."
        )
