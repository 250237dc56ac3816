"""What any fitted regressor says of its values: with standard deviation, covariance and slopes.

These functions ask the public interface only: ``predict``, on request with ``return_std`` or
``return_cov``, and ``summary``. They see through pipelines and searches, and answer "unknown" for
regressors of other libraries, whose predictions have no errors.
"""

from __future__ import annotations

from inspect import signature
from numbers import Integral
from typing import Any

import numpy as np

from sklsq._typing import FloatArray, IntArray
from sklsq.inference.summary import FitSummary

__all__ = [
    "column_of",
    "features_of_last_step",
    "fitted_covariance",
    "fitted_part",
    "fitted_slopes",
    "fitted_with_std",
    "last_step",
    "named_like",
    "offers",
    "row_labels",
    "summary_of",
    "take_rows",
    "transformed_part",
]

_STEP = 1e-6  # of the range of a feature, for its slope


def fitted_part(estimator: Any) -> Any:
    """Return the estimator that predicts, out of a search over several."""
    return getattr(estimator, "best_estimator_", estimator)


def last_step(estimator: Any) -> Any:
    """Return the estimator that was fitted last, out of a search and a pipeline."""
    estimator = fitted_part(estimator)
    return last_step(estimator.steps[-1][1]) if hasattr(estimator, "steps") else estimator


def summary_of(estimator: Any) -> FitSummary | None:
    """Return the summary of the fit; None for a regressor of another library."""
    summary = getattr(last_step(estimator), "summary", None)
    report = summary() if callable(summary) else None
    return report if isinstance(report, FitSummary) else None


def offers(estimator: Any, option: str) -> bool:
    """Tell whether `predict` takes the keyword `option`, also that of a wrapped estimator."""
    last = last_step(estimator)
    if option not in signature(last.predict).parameters:
        return False
    inner = getattr(last, "estimator_", None)
    return inner is None or offers(inner, option)


def features_of_last_step(estimator: Any, X: Any) -> Any:
    """Return what the steps of a pipeline before the last make of `X`."""
    part = fitted_part(estimator)
    if not hasattr(part, "steps"):
        return X
    transformed = part[:-1].transform(X) if len(part.steps) > 1 else X
    return features_of_last_step(part.steps[-1][1], transformed)


def transformed_part(estimator: Any, X: Any) -> tuple[Any, Any] | None:
    """Return the fit to a transform of y in an estimator, and X as it sees it; None without one."""
    X, last = features_of_last_step(estimator, X), last_step(estimator)
    while not hasattr(last, "transform_target"):
        inner = getattr(last, "estimator_", None)
        if inner is None:
            return None
        X, last = features_of_last_step(inner, X), last_step(inner)
    return last, X


def fitted_with_std(estimator: Any, X: Any, target: int) -> tuple[FloatArray, FloatArray]:
    """Return fitted values (n,) and their standard deviations (n,), NaN where there are none."""
    if not offers(estimator, "return_std"):
        value = column_of(estimator.predict(X), target)
        return value, np.full_like(value, np.nan)
    value, std = fitted_part(estimator).predict(X, return_std=True)
    return column_of(value, target), column_of(std, target)


def fitted_covariance(estimator: Any, X: Any, target: int) -> FloatArray:
    """Return the covariance (n, n) of the fitted values of one target."""
    covariance = np.asarray(fitted_part(estimator).predict(X, return_cov=True)[1])
    return covariance[target] if covariance.ndim == 3 else covariance


def column_of(values: Any, target: int) -> FloatArray:
    """Return one target (n,) of values (n,) or (n, t), in double precision.

    Raises
    ------
    ValueError
        If there is no such target.
    """
    array: FloatArray = np.asarray(values, dtype=np.float64)
    array = array[:, None] if array.ndim == 1 else array
    if not (isinstance(target, Integral) and 0 <= target < array.shape[1]):
        raise ValueError(
            f"`target` must be the number of a column of y, from 0 to {array.shape[1] - 1}. "
            f"Got {target!r}."
        )
    return array[:, target]


def take_rows(X: Any, rows: IntArray) -> Any:
    """Return some rows of a DataFrame or of an array_like."""
    return X.iloc[rows] if hasattr(X, "iloc") else np.asarray(X)[rows]


def row_labels(*data: Any) -> Any:
    """Return the index of the first pandas object among `data`; None if there is none."""
    indexes = (getattr(values, "index", None) for values in data)
    # Lists and tuples have a method of that name.
    return next((index for index in indexes if index is not None and not callable(index)), None)


def fitted_slopes(estimator: Any, X: Any, target: int) -> FloatArray:
    """Return derivatives (n, p) of the fitted values, by differences within the range of `X`."""
    points = np.asarray(X, dtype=np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    step = _STEP * (high - low)
    result = np.zeros_like(points)
    for j in np.flatnonzero(step):
        below, above = points.copy(), points.copy()
        below[:, j] = np.maximum(points[:, j] - step[j], low[j])
        above[:, j] = np.minimum(points[:, j] + step[j], high[j])
        upper, lower = (
            column_of(estimator.predict(named_like(X, place)), target) for place in (above, below)
        )
        result[:, j] = (upper - lower) / (above[:, j] - below[:, j])
    return result


def named_like(X: Any, values: FloatArray) -> Any:
    """Return `values` as a DataFrame with the columns of `X`, if `X` has names."""
    if not hasattr(X, "columns"):
        return values
    import pandas as pd

    return pd.DataFrame(values, columns=list(X.columns))
