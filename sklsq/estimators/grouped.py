"""The same fit to every group of a table: one row a group, with errors, and with what went wrong.

Groups of a nonlinear model that were measured at the same x (or mostly the same: what a group lacks
is a missing point) are curves over one grid, which the batched engine fits all at once. Other
groups are fitted one after the other.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.basis.polynomial import Polynomial
from sklsq.estimators._linear import LinearLeastSquares
from sklsq.estimators._wrapper import fit_inner
from sklsq.exceptions import BoundWarning, DegreesOfFreedomWarning, RankWarning, warn_caller
from sklsq.inference.fitted_values import last_step
from sklsq.noise import check_noise

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["fit_groups"]

_OF_A_FIT = (BoundWarning, ConvergenceWarning, DegreesOfFreedomWarning, RankWarning, UserWarning)
_FILLED = 0.2  # share of a common grid that has to be there; at once is then still six times faster
_STATISTICS = ("chi2", "reduced_chi2", "dof", "converged", "status")


@dataclass(frozen=True)
class _Groups:
    """The columns of a table, sorted by group.

    Parameters
    ----------
    keys : DataFrame
        One row a group.
    starts : ndarray of shape (g + 1,)
        Where the groups start, and the end.
    labels : Index
        Labels of the rows in the user's table.
    features : DataFrame
        The columns of x.
    X, y, sigma : ndarray of shape (n, p), (n,), (n,), or sigma None or a number
    """

    keys: pd.DataFrame
    starts: IntArray
    labels: pd.Index
    features: pd.DataFrame
    X: FloatArray
    y: FloatArray
    sigma: FloatArray | float | None

    def __len__(self) -> int:
        return len(self.starts) - 1

    def rows(self, k: int) -> slice:
        """Return the rows of a group."""
        return slice(int(self.starts[k]), int(self.starts[k + 1]))

    def sigma_of(self, rows: Any) -> Any:
        return self.sigma[rows] if isinstance(self.sigma, np.ndarray) else self.sigma


@dataclass(frozen=True)
class _Result:
    """What one group gives; `names` is empty where there is no fit."""

    names: tuple[str, ...]
    params: FloatArray
    std: FloatArray
    chi2: float
    reduced_chi2: float
    dof: int
    converged: bool
    status: str


def fit_groups(
    estimator: Any,
    frame: pd.DataFrame,
    *,
    by: Hashable | list[Hashable],
    x: Hashable | list[Hashable],
    y: Hashable,
    sigma: Any = None,
) -> pd.DataFrame:
    """Fit every group of a table, each on its own.

    Parameters
    ----------
    estimator : estimator
        An estimator of sklsq, or a pipeline that ends in one. It is cloned, not changed.
    frame : DataFrame
        The table.
    by : label or list of labels
        Columns that tell the groups. As in pandas, groups are sorted, and rows whose key is missing
        belong to none.
    x : label or list of labels
        Columns of the features.
    y : label
        Column of the measured values.
    sigma : label or float, optional
        Column of the standard deviations of y, or one for all.

    Returns
    -------
    fits : DataFrame
        One row a group: the columns `by`; for each parameter its value and ``<parameter>_std``;
        ``chi2``, ``reduced_chi2``, ``dof``, ``converged`` and ``status``, a sentence. A group that
        could not be fitted has NaN, ``converged`` False, and the reason in ``status``; so has one
        whose data do not determine all parameters, with what is known of them.

    Raises
    ------
    TypeError
        If `frame` is no DataFrame, or `estimator` does not publish parameters with errors.
    ValueError
        If a column is missing, does not hold numbers, or is named twice; if there are no groups.

    Warns
    -----
    ConvergenceWarning
        Once, if some groups have no answer.

    Notes
    -----
    Groups of a `NonlinearLSQ` are fitted at once if they fill at least a fifth of the grid of all
    their x, equal x being common to them; where the model has several minima, such a search has
    fewer starts for each group than a single fit.

    Examples
    --------
    >>> from sklsq import NonlinearLSQ, fit_groups
    >>> from sklsq.datasets import load_puromycin
    >>> fits = fit_groups(
    ...     NonlinearLSQ("v*concentration/(k + concentration)"),
    ...     load_puromycin().frame,
    ...     by="state",
    ...     x="concentration",
    ...     y="rate",
    ... )
    >>> fits[["state", "v", "v_std", "dof"]].round(1)
           state      v  v_std  dof
    0    treated  212.7    6.9   10
    1  untreated  160.3    6.5    9
    """
    groups = _groups(frame, by, x, y, sigma)
    reasons = _unfit(groups, y)
    with warnings.catch_warnings():
        for category in _OF_A_FIT:
            warnings.simplefilter("ignore", category)
        results = _at_once(estimator, groups, reasons) or _one_by_one(estimator, groups, reasons)
    table = _table(groups, results)
    failed = np.flatnonzero([not result.converged for result in results])
    if failed.size:
        first = ", ".join(f"{n} = {v}" for n, v in groups.keys.iloc[failed[0]].items())
        warn_caller(
            f"{failed.size} of {len(groups)} groups have no answer, the first of them {first}: "
            f"{results[failed[0]].status} See the column `status`.",
            ConvergenceWarning,
        )
    return table


# Reading the table -------------------------------------------------------------------------------


def _groups(frame: Any, by: Any, x: Any, y: Any, sigma: Any) -> _Groups:
    """Return the groups of a checked table."""
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"`frame` must be a pandas DataFrame. Got {type(frame).__name__}.")
    keys, features = _as_list(by), _as_list(x)
    named = {"by": keys, "x": features, "y": [y]}
    sigma_column = sigma is not None and not isinstance(sigma, Real)
    if sigma_column:
        named["sigma"] = [sigma]
    for argument, labels in named.items():
        _check_columns(frame, argument, labels)
    owners = frame.groupby(keys, sort=True, observed=True).ngroup()
    numbers = owners.fillna(-1).to_numpy(dtype=np.int64)  # NaN where a key is missing
    order = np.argsort(numbers, kind="stable")
    order = order[np.count_nonzero(numbers < 0) :]  # no key, no group
    if not order.size:
        raise ValueError("`frame` must have rows with a key. Got none.")
    part = frame.iloc[order]
    starts = np.flatnonzero(np.diff(numbers[order], prepend=-1, append=numbers.max() + 1))
    columns = pd.concat([_numbers(part, "x", name) for name in features], axis=1)
    if sigma_column:
        errors: Any = _numbers(part, "sigma", sigma).to_numpy()
    else:
        errors = None if sigma is None else check_noise(sigma, None, 1, None).values
    return _Groups(
        part[keys].iloc[starts[:-1]].reset_index(drop=True),
        starts,
        part.index,
        columns,
        np.ascontiguousarray(columns.to_numpy()),
        _numbers(part, "y", y).to_numpy(),
        errors,
    )


def _as_list(labels: Any) -> list[Hashable]:
    return list(labels) if isinstance(labels, list) else [labels]


def _check_columns(frame: pd.DataFrame, argument: str, labels: Sequence[Hashable]) -> None:
    if not labels:
        raise ValueError(f"`{argument}` must name at least one column. Got an empty list.")
    for label in labels:
        if not isinstance(label, Hashable) or label not in frame.columns:
            known = ", ".join(map(str, frame.columns))
            raise ValueError(
                f"`{argument}` must name columns of the table: {known}. Got {label!r}."
            )
        if (frame.columns == label).sum() > 1 or list(labels).count(label) > 1:
            raise ValueError(f"`{argument}` must name a column once. Got {label!r} twice.")


def _numbers(frame: pd.DataFrame, argument: str, label: Hashable) -> pd.Series:
    try:
        return frame[label].astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`{argument}` must name a column of numbers. Got {label!r}: {error}."
        ) from error


def _unfit(groups: _Groups, y: Hashable) -> dict[int, str]:
    """Return why groups cannot be fitted, by their numbers."""
    columns: list[tuple[Hashable, FloatArray, bool]] = [
        (name, groups.X[:, j], False) for j, name in enumerate(groups.features.columns)
    ]
    columns.append((y, groups.y, False))
    if isinstance(groups.sigma, np.ndarray):
        columns.append(("sigma", groups.sigma, True))
    reasons: dict[int, str] = {}
    for name, values, positive in columns:
        bad = np.flatnonzero(~np.isfinite(values) | (positive & (values <= 0.0)))
        owners = np.searchsorted(groups.starts, bad, side="right") - 1
        for row, group in zip(bad[::-1], owners[::-1], strict=True):  # the first one stays
            demand = "positive and finite" if positive else "finite"
            reasons[int(group)] = (
                f"Not fitted: {name} must be {demand}. Got {values[row]:g} in the row "
                f"{groups.labels[row]!r}; leave it out or correct it."
            )
    return reasons


# Fitting -----------------------------------------------------------------------------------------


def _one_by_one(estimator: Any, groups: _Groups, reasons: dict[int, str]) -> list[_Result]:
    by_position = _is_by_position(estimator)
    same = clone(estimator) if by_position else None
    names: tuple[str, ...] | None = None
    results = []
    for k in range(len(groups)):
        if k in reasons:
            results.append(_failure(reasons[k]))
            continue
        rows = groups.rows(k)
        sigma = groups.sigma_of(rows)
        try:
            if same is not None and names is not None:
                # Arrays are checked ten times as fast as frames, but have no names.
                fitted = same.fit(groups.X[rows], groups.y[rows], sigma=sigma)
            else:
                X = groups.features.iloc[rows]
                fitted = fit_inner(estimator, X, groups.y[rows], {"sigma": sigma})
        except (ValueError, ArithmeticError) as error:
            results.append(_failure(f"Not fitted: {error}"))
            continue
        results.append(_result(fitted, None, names if by_position else None))
        names = results[-1].names
    return results


def _is_by_position(estimator: Any) -> bool:
    """Tell whether names of features mean nothing to an estimator."""
    basis = getattr(estimator, "basis", None)
    return isinstance(estimator, LinearLeastSquares) and (
        basis is None or isinstance(basis, Polynomial)
    )


def _at_once(estimator: Any, groups: _Groups, reasons: dict[int, str]) -> list[_Result] | None:
    """Return the results of all groups as curves over one grid; None if that is not possible."""
    options = estimator.get_params(deep=False) if hasattr(estimator, "get_params") else {}
    if not {"model", "p0", "n_starts"} <= options.keys() or callable(options["p0"]):
        return None
    fit = np.array([k for k in range(len(groups)) if k not in reasons], dtype=np.int64)
    if fit.size < 2:
        return None
    grid = _grid(groups, fit)
    if grid is None:
        return None
    X, rows, points, curves = grid
    shape = (len(X), fit.size)
    Y = np.full(shape, np.nan)
    Y[points, curves] = groups.y[rows]
    sigma: Any = groups.sigma
    if isinstance(sigma, np.ndarray):
        errors = np.full(shape, np.nan)
        errors[points, curves] = sigma[rows]
        sigma = errors
        if not np.isnan(Y).any() and (errors == errors[:, :1]).all():
            sigma = errors[:, 0]
    try:
        fitted = clone(estimator).fit(X, Y, sigma=sigma)
    except (ValueError, ArithmeticError):
        return None  # one by one shows which group it is
    of_curve = {int(group): curve for curve, group in enumerate(fit)}
    return [
        _failure(reasons[k]) if k in reasons else _result(fitted, of_curve[k], None)
        for k in range(len(groups))
    ]


def _grid(groups: _Groups, fit: IntArray) -> tuple[Any, IntArray, IntArray, IntArray] | None:
    """Return the common features, and for each row used: which it is, its place, its curve.

    A value of x that a group has several times occurs as often in the grid.
    """
    curve_of = np.full(len(groups), -1)
    curve_of[fit] = np.arange(fit.size)
    curves = np.repeat(curve_of, np.diff(groups.starts))
    rows = np.flatnonzero(curves >= 0)
    curves = curves[rows]
    _, first, kind = np.unique(groups.X[rows], axis=0, return_index=True, return_inverse=True)
    kind = kind.reshape(-1)
    # The number of earlier rows of the same curve with the same x.
    order = np.lexsort((kind, curves))
    new: BoolArray = np.ones(rows.size, dtype=bool)
    new[1:] = (np.diff(curves[order]) != 0) | (np.diff(kind[order]) != 0)
    counted = np.arange(rows.size) - np.maximum.accumulate(np.where(new, np.arange(rows.size), 0))
    repeat = np.empty(rows.size, dtype=np.int64)
    repeat[order] = counted
    copies = np.zeros(first.size, dtype=np.int64)
    np.maximum.at(copies, kind, repeat + 1)
    if rows.size < _FILLED * float(copies.sum()) * fit.size:
        return None
    place = np.cumsum(copies) - copies
    X = groups.features.iloc[np.repeat(rows[first], copies)]
    return X, rows, place[kind] + repeat, curves


# Results -----------------------------------------------------------------------------------------


def _failure(reason: str) -> _Result:
    nothing = np.empty(0)
    return _Result((), nothing, nothing, np.nan, np.nan, 0, False, reason)


def _result(fitted: Any, curve: int | None, names: tuple[str, ...] | None) -> _Result:
    """Return the result of a fit, or of one of its curves."""
    last = last_step(fitted)
    if not hasattr(fitted, "params_std_"):
        fitted = last
    if not hasattr(fitted, "params_std_"):
        raise TypeError(
            "`estimator` must publish parameters with errors, as those of sklsq do. "
            f"Got {type(last).__name__}."
        )

    def of(name: str, default: Any = None) -> Any:
        value = getattr(fitted, name, default)
        return value if curve is None or value is default else value[curve]

    params, std, dof = of("params_"), of("params_std_"), int(of("dof_"))
    names = names or tuple(map(str, fitted.param_names_))
    sentences = [str(of("status_", "Fitted."))]
    lost = np.isinf(std)
    if lost.any():
        which = ", ".join(name for name, is_lost in zip(names, lost, strict=True) if is_lost)
        sentences.append(f"The data do not determine {which}.")
    held = of("at_bound_", np.zeros(len(names), dtype=bool))
    if np.any(held):
        which = ", ".join(name for name, is_held in zip(names, held, strict=True) if is_held)
        sentences.append(f"At a bound: {which}.")
    if dof <= 0:
        sentences.append("There are no degrees of freedom.")
    converged = bool(of("converged_", True)) and bool(np.isfinite(params).all()) and not lost.any()
    return _Result(
        names,
        params,
        std,
        float(of("chi2_")),
        float(of("reduced_chi2_")),
        dof,
        converged,
        " ".join(sentences),
    )


def _table(groups: _Groups, results: list[_Result]) -> pd.DataFrame:
    import pandas as pd

    names = next((result.names for result in results if result.names), ())
    columns = [column for name in names for column in (name, f"{name}_std")]
    for column in (*columns, *_STATISTICS):
        if column in groups.keys.columns or [*columns, *_STATISTICS].count(column) > 1:
            raise ValueError(
                f"`by` and the parameters must not be named like another column of the result. "
                f"Got {column!r}; rename it."
            )
    values = np.full((len(results), len(names), 2), np.nan)
    for k, result in enumerate(results):
        if result.names:
            values[k, :, 0], values[k, :, 1] = result.params, result.std
    parameters = pd.DataFrame(values.reshape(len(results), -1), columns=columns)
    statistics = pd.DataFrame(
        {name: [getattr(result, name) for result in results] for name in _STATISTICS}
    )
    return pd.concat([groups.keys, parameters, statistics], axis=1)
