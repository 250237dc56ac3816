"""From what a user writes as a model, and the columns of X, to a model and its columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklsq.models import Model, bind, formula_model

__all__ = ["bound_model", "feature_columns"]


def bound_model(
    model: Any, features: Any, jac: Any, p0: Any, width: int, names: list[str] | None
) -> Model:
    """Return the model of a fit.

    Parameters
    ----------
    model, features, jac, p0
        As in `NonlinearLSQ`; `p0` is no callable here.
    width : int
        Number of columns of X.
    names : list of str or None
        Their names.

    Raises
    ------
    TypeError
        If `model` is none.
    ValueError
        If the features are not those of X, or another argument does not go with the model.
    """
    if isinstance(model, str):
        if callable(jac):
            raise ValueError(
                "`jac` must not be a callable for a formula, whose derivatives are exact. "
                "Got one; leave it out."
            )
        return formula_model(model, width, names)
    if isinstance(model, Model):
        if model.n_features not in (None, width):
            raise ValueError(
                f"X must have the {model.n_features} features of `model`. Got {width}."
            )
        return model
    used = feature_columns(model, features, names)
    p0_names = _names_in_order(model, features, p0)
    length = None if p0 is None or isinstance(p0, dict) else len(np.ravel(p0))
    n_features = width if used is None else len(used)
    return bind(model, features, n_features, length, p0_names, jac=jac)


def feature_columns(model: Any, features: Any, names: Sequence[str] | None) -> list[int] | None:
    """Return the columns that `features` picks by name from a DataFrame; None for all.

    Raises
    ------
    ValueError
        If a feature is not a column.
    """
    if isinstance(model, (str, Model)) or features is None or isinstance(features, (str, int)):
        return None
    if names is None:
        return None
    columns = list(names)
    for name in features:
        if name not in columns:
            raise ValueError(
                f"`features` must be columns of X. Got {name!r}, not among "
                f"{', '.join(columns)}. Rename the columns, or pass X as a plain array, whose "
                "columns are taken in order."
            )
    return [columns.index(name) for name in features]


def _names_in_order(model: Any, features: Any, p0: Any) -> list[str] | None:
    """Return the names of a dict of starts; None if it leaves parameters open."""
    if not isinstance(p0, dict):
        return None
    names = list(p0)
    try:
        found = bind(model, features, None, None, names).parameter_names
    except ValueError:
        return None
    return list(found) if set(found) == set(names) else None
