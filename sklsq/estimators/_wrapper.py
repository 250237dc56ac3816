"""What estimators share that hold another one: its fitted attributes, its errors, its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from inspect import Parameter, signature
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from sklsq.estimators._base import LeastSquaresRegressor
from sklsq.estimators._extrapolation import unwatched
from sklsq.inference.fitted_values import last_step
from sklsq.inference.part_of_rows import fit_with_errors
from sklsq.inference.summary import FitSummary

__all__ = [
    "WrappingRegressor",
    "before_last",
    "fit_inner",
    "has_errors",
    "inner_has",
    "predict_inner",
]


class WrappingRegressor(LeastSquaresRegressor):
    """Base of the estimators that fit another one, `estimator`, and publish it as `estimator_`.

    Fitted attributes that it does not set itself (``coef_``, ``params_``…) are those of what was
    fitted last: `estimator_` or, if that is a pipeline or search, its last step.
    """

    estimator: Any
    estimator_: Any

    def __getattr__(self, name: str) -> Any:
        """Return a fitted attribute of the inner fit."""
        inner = self.__dict__.get("estimator_")
        if inner is None or name.startswith("_") or not name.endswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(last_step(inner), name)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.target_tags.multi_output = inner.target_tags.multi_output
        tags.regressor_tags = inner.regressor_tags or tags.regressor_tags
        tags.non_deterministic = inner.non_deterministic
        return tags

    def _forget(self) -> None:
        for name in ("_sigma_given", "estimator_"):
            self.__dict__.pop(name, None)

    def _covariance_factors(self) -> Any:
        """Return the roots of the covariances of the inner fit, whose parameters these are."""
        inner = last_step(self.estimator_)
        return inner._covariance_factors() if isinstance(inner, LeastSquaresRegressor) else None

    def _check_wrapped(self, X: Any, y: Any) -> None:
        if not hasattr(self.estimator, "fit"):
            raise TypeError(
                "`estimator` must be a regressor with `fit` and `predict`, such as "
                f"WeightedLinearFit(). Got {self.estimator!r}."
            )
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        if issparse(X):
            raise TypeError("`X` must be dense. Got a sparse matrix; use `X.toarray()`.")

    def _inner_summary(self, notes: list[str], **changes: Any) -> FitSummary:
        """Return the summary of the inner fit under the name of this one, with notes on top."""
        check_is_fitted(self)
        report: FitSummary = last_step(self.estimator_).summary()
        return replace(report, title=repr(self), warnings=[*notes, *report.warnings], **changes)


def inner_has(name: str) -> Callable[[Any], bool]:
    """Return what tells whether the inner estimator has a method, for `available_if`."""

    def check(wrapper: Any) -> bool:
        inner = wrapper.__dict__.get("estimator_", wrapper.estimator)
        return hasattr(last_step(inner), name)

    return check


def has_errors(estimator: Any) -> bool:
    """Tell whether predictions of an estimator come with standard deviations."""
    return "return_std" in signature(last_step(estimator).predict).parameters


def predict_inner(estimator: Any, X: Any, **options: Any) -> Any:
    """Predict by a fitted estimator; `options`, such as ``return_std=True``, reach its last step.

    Raises
    ------
    ValueError
        If errors are asked for that the estimator does not have.
    """
    asked = {k: value for k, value in options.items() if not (value is None or value is False)}
    if not asked:
        return estimator.predict(X)
    if not has_errors(estimator):
        raise ValueError(
            f"`return_std` must be False for {type(last_step(estimator)).__name__}, whose "
            f"predictions have no errors. Got {', '.join(asked)}; take an estimator of sklsq."
        )
    return getattr(estimator, "best_estimator_", estimator).predict(X, **asked)


def before_last(estimator: Any, X: Any) -> Any:
    """Return `X` as the last step of a fitted pipeline, or of the best of a search, sees it."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    if not hasattr(estimator, "steps"):
        return X
    if len(estimator.steps) > 1:
        X = estimator[:-1].transform(X)
    return before_last(estimator.steps[-1][1], X)


def fit_inner(estimator: Any, X: Any, y: Any, errors: Mapping[str, Any]) -> Any:
    """Return a fitted clone; to one that does not know `sigma` it is passed as a weight."""
    known = signature(last_step(estimator).fit).parameters
    open_ended = any(entry.kind is Parameter.VAR_KEYWORD for entry in known.values())
    given = {name: value for name, value in errors.items() if value is not None}
    if "sigma" in given and not ("sigma" in known or open_ended):
        sigma = np.broadcast_to(np.asarray(given.pop("sigma"), dtype=np.float64), np.shape(y))
        given["sample_weight"] = 1.0 / np.square(sigma)
    with unwatched():
        if hasattr(estimator, "steps") or hasattr(estimator, "estimator"):
            return fit_with_errors(estimator, X, y, given)
        return clone(estimator).fit(X, y, **given)
