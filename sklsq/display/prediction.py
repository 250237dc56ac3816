"""What a fitted estimator says: values with errors at any points, slopes, and its summary."""

from __future__ import annotations

from inspect import signature
from typing import Any

import numpy as np

from sklsq._typing import FloatArray
from sklsq.inference.summary import FitSummary

__all__ = ["column_of", "like", "predict", "slopes", "summary_of"]

_STEP = 1e-6  # of the range of a feature, for its slope


def _fitted_part(estimator: Any) -> Any:
    """Return the estimator that predicts, out of a search over several."""
    return getattr(estimator, "best_estimator_", estimator)


def _last_step(estimator: Any) -> Any:
    """Return the estimator that was fitted last, out of a search and a pipeline."""
    estimator = _fitted_part(estimator)
    return _last_step(estimator.steps[-1][1]) if hasattr(estimator, "steps") else estimator


def summary_of(estimator: Any) -> FitSummary | None:
    """Return the summary of the fit; None for an estimator of another library."""
    summary = getattr(_last_step(estimator), "summary", None)
    report = summary() if callable(summary) else None
    return report if isinstance(report, FitSummary) else None


def predict(estimator: Any, X: Any, target: int) -> tuple[FloatArray, FloatArray]:
    """Return fitted values (n,) and their standard deviations (n,), NaN where there are none."""
    if "return_std" not in signature(_last_step(estimator).predict).parameters:
        value = column_of(estimator.predict(X), target)
        return value, np.full_like(value, np.nan)
    value, std = _fitted_part(estimator).predict(X, return_std=True)
    return column_of(value, target), column_of(std, target)


def column_of(values: Any, target: int) -> FloatArray:
    """Return one target (n,) of values (n,) or (n, t), in double precision.

    Raises
    ------
    ValueError
        If there is no such target.
    """
    array: FloatArray = np.asarray(values, dtype=np.float64)
    array = array[:, None] if array.ndim == 1 else array
    if not 0 <= target < array.shape[1]:
        raise ValueError(
            f"`target` must be the number of a column of y, from 0 to {array.shape[1] - 1}. "
            f"Got {target}."
        )
    return array[:, target]


def like(X: Any, values: FloatArray) -> Any:
    """Return `values` (k, p) as a DataFrame with the columns of `X`, if `X` has names."""
    if not hasattr(X, "columns"):
        return values
    import pandas as pd

    return pd.DataFrame(values, columns=list(X.columns))


def slopes(estimator: Any, X: Any, target: int) -> FloatArray:
    """Return derivatives (n, p) of the fitted values, by differences within the range of `X`."""
    points = np.asarray(X, dtype=np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    step = _STEP * (high - low)
    result = np.zeros_like(points)
    for j in np.flatnonzero(step):
        below, above = points.copy(), points.copy()
        below[:, j] = np.maximum(points[:, j] - step[j], low[j])
        above[:, j] = np.minimum(points[:, j] + step[j], high[j])
        upper, lower = (predict(estimator, like(X, x), target)[0] for x in (above, below))
        result[:, j] = (upper - lower) / (above[:, j] - below[:, j])
    return result
