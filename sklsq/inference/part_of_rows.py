"""Fits to part of the rows, for the prediction of the others."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklsq._typing import FloatArray
from sklsq.exceptions import (
    BoundWarning,
    DegreesOfFreedomWarning,
    ExtrapolationWarning,
    RankWarning,
)
from sklsq.inference.fitted_values import fitted_part
from sklsq.noise import check_index, check_noise

__all__ = [
    "check_targets",
    "fit_quietly",
    "fit_with_errors",
    "predict_quietly",
    "take",
]

_OF_A_FIT = (BoundWarning, ConvergenceWarning, DegreesOfFreedomWarning, RankWarning)


def check_targets(X: Any, y: Any, errors: Mapping[str, Any]) -> FloatArray:
    """Return y as an array (n,).

    Raises
    ------
    ValueError
        If it is not one-dimensional or not finite, does not go with X, or `sigma` is a covariance
        matrix, not positive, or labelled differently.
    """
    if np.ndim(y) != 1:
        raise ValueError(
            f"`y` must be one-dimensional. Got shape {np.shape(y)}; call once for each column."
        )
    sigma = errors.get("sigma")
    if sigma is not None and np.ndim(sigma) > 1:
        raise ValueError(
            "`sigma` must be a number or one value per row: rows with correlated errors cannot be "
            f"left out, since the others carry part of their error. Got shape {np.shape(sigma)}."
        )
    if np.iscomplexobj(y):
        raise ValueError("`y` must hold real numbers. Got complex ones.")
    target = np.asarray(y, dtype=np.float64)
    n_samples = np.shape(X)[0] if np.ndim(X) else 0
    if len(target) != n_samples:
        raise ValueError(
            f"`y` must have one value for each of the {n_samples} rows of X. Got {len(target)}."
        )
    check_index("sigma", sigma, X, y)
    check_noise(sigma, None, len(target), None)
    if not np.isfinite(target).all():
        row = int(np.flatnonzero(~np.isfinite(target))[0])
        raise ValueError(
            f"`y` must be finite. Got {target[row]} in row {row}; leave such rows out."
        )
    return target


def take(array: Any, rows: Any, n_samples: int) -> Any:
    """Return rows of what has one value a row; what is the same for all rows as it is."""
    if np.ndim(array) == 0 or len(array) != n_samples:
        return array
    return array.iloc[rows] if hasattr(array, "iloc") else np.asarray(array)[rows]


def fit_with_errors(estimator: Any, X: Any, y: Any, errors: Mapping[str, Any]) -> Any:
    """Return a fitted clone; errors reach the last step of a pipeline or search."""
    given = {name: value for name, value in errors.items() if value is not None}
    routed = hasattr(estimator, "steps") or hasattr(estimator, "estimator")
    with config_context(enable_metadata_routing=True) if routed else config_context():
        return clone(estimator).fit(X, y, **given)


def fit_quietly(estimator: Any, X: Any, y: Any, errors: Mapping[str, Any], rows: Any = None) -> Any:
    """Return a clone fitted to part of the rows, without the warnings of such a fit."""
    n_samples = len(y)
    if rows is not None:
        errors = {name: take(value, rows, n_samples) for name, value in errors.items()}
        X, y = take(X, rows, n_samples), take(y, rows, n_samples)
    with warnings.catch_warnings():
        for category in _OF_A_FIT:
            warnings.simplefilter("ignore", category)
        return fit_with_errors(estimator, X, y, errors)


def predict_quietly(fitted: Any, X: Any, **options: Any) -> Any:
    """Return fitted values; that rows left out may lie outside of the others is no news."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExtrapolationWarning)
        # That of a search takes no options.
        return fitted_part(fitted).predict(X, **options)
