r"""The points and the curve of a picture, as frames.

A point :math:`(x_i, y_i)` with standard deviations :math:`\sigma_{x,i}, \sigma_{y,i}` and
correlation :math:`\rho_i` lies off the curve :math:`f` by :math:`y_i - f(x_i)`, whose variance is,
to first order,

.. math:: \sigma_i^2 = \sigma_{y,i}^2 - 2 f'(x_i) \rho_i \sigma_{x,i} \sigma_{y,i}
          + f'(x_i)^2 \sigma_{x,i}^2 .

For a straight line the sum of the squared pulls :math:`(y_i - f(x_i)) / \sigma_i` is then the χ² of
York et al., Am. J. Phys. 72, 367 (2004). The correlation enters for a single feature only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sklsq._typing import FloatArray
from sklsq.inference.fitted_values import (
    column_of,
    fitted_slopes,
    fitted_with_std,
    last_step,
    named_like,
    summary_of,
)
from sklsq.inference.residuals import used_rows
from sklsq.inference.row_errors import errors_of_rows
from sklsq.inference.summary import FitSummary, format_value
from sklsq.noise import check_index

__all__ = [
    "PointErrors",
    "caption",
    "curve_over",
    "fitted_points",
    "identity_line",
    "name_of",
    "points_of",
    "scale_and_dof",
    "sigma_of",
]

_GRID = 301
_LISTED_PARAMETERS = 4
_SURE = 0.99  # two digits would print a larger probability as one


@dataclass(frozen=True)
class PointErrors:
    """Errors of the points as the user gives them; None where unknown.

    Parameters
    ----------
    sigma : float or array_like, optional
        Standard deviations of y, in any form that `fit` takes.
    sigma_x : float or array_like, optional
        Standard deviations of the features.
    corr_xy : float or array_like, optional
        Correlation of the errors of x and y.
    """

    sigma: Any = None
    sigma_x: Any = None
    corr_xy: Any = None


def fitted_points(estimator: Any, X: Any, y: Any, errors: PointErrors, target: int) -> pd.DataFrame:
    """Return the points of a fit; `x` is the feature or, if there are several, the fitted value."""
    features: FloatArray = np.asarray(X, dtype=np.float64)
    single = features.shape[1] == 1
    check_index("sigma", errors.sigma, X, y)
    check_index("sigma_x", errors.sigma_x, X, y)
    if not np.isfinite(column_of(y, target)).any():
        raise ValueError("`y` must have finite values to be drawn. Got none.")
    summary = summary_of(estimator)
    scale, _ = scale_and_dof(summary, errors.sigma is not None, target)
    fitted, fitted_std = fitted_with_std(estimator, X, target)
    if errors.sigma is not None:
        sigma = scale * sigma_of(errors.sigma, y, target)
    elif summary is None or errors.sigma_x is not None:
        sigma = np.full_like(fitted, scale)
    else:  # as the fit implies them: unlike each other if it was made to a transform of y
        sigma = errors_of_rows(estimator, X, y, target=target).sigma
    x = features[:, 0] if single else fitted
    frame = points_of(x, column_of(y, target), fitted, fitted_std, sigma)
    mask = getattr(last_step(estimator), "inlier_mask_", None)
    if mask is not None and np.shape(mask) == fitted.shape:
        frame["rejected"] = ~used_rows(estimator, len(fitted))
    if errors.sigma_x is None:
        return frame
    sigma_x = scale * _feature_sigma(errors.sigma_x, features.shape)
    across = fitted_slopes(estimator, X, target) * sigma_x
    correlation = 0.0 if errors.corr_xy is None else np.asarray(errors.corr_xy, dtype=np.float64)
    variance = frame["sigma"] ** 2 + (across**2).sum(axis=1)
    if single:
        variance -= 2.0 * across[:, 0] * frame["sigma"] * correlation
        frame.insert(3, "sigma_x", sigma_x[:, 0])
    return frame.assign(pull=frame["residual"] / np.sqrt(variance))


def points_of(
    x: FloatArray, y: FloatArray, fitted: FloatArray, fitted_std: FloatArray, sigma: FloatArray
) -> pd.DataFrame:
    """Return the frame of points whose x is exact."""
    columns = {"x": x, "y": y, "sigma": sigma, "fitted": fitted, "fitted_std": fitted_std}
    residual = y - fitted
    return pd.DataFrame({**columns, "residual": residual, "pull": residual / sigma})


def scale_and_dof(
    summary: FitSummary | None, sigma_given: bool, target: int
) -> tuple[float, float]:
    """Return the factor from the given (or unit) σ to that which the fit implies, and its dof.

    Raises
    ------
    ValueError
        If the fit was weighted by σ, and none is given for the points.
    """
    if summary is None:
        return (1.0 if sigma_given else np.nan), np.inf
    if summary.sigma_given and not sigma_given:
        raise ValueError(
            "`sigma` must hold the standard deviations of the points, since the fit was weighted "
            "by them. Got None; pass the sigma of the fit, or 1/sqrt(sample_weight)."
        )
    if summary.absolute_sigma:
        return 1.0, np.inf
    dof, chi2 = float(summary.dof[target]), float(summary.chi2[target])
    scale = np.sqrt(chi2 / dof) if dof > 0.0 and chi2 > 0.0 else np.nan
    absolute_points = sigma_given and not summary.sigma_given
    return (1.0 if absolute_points else scale), max(dof, 1.0)


def sigma_of(sigma: Any, y: Any, target: int) -> FloatArray:
    """Return the standard deviations (n,) of one target from any form of `sigma` that `fit` takes.

    Raises
    ------
    ValueError
        If the shape is wrong, or a value is not positive and finite.
    """
    array: FloatArray = np.asarray(sigma, dtype=np.float64)
    shape = np.shape(y)
    if len(shape) == 1 and array.shape == (*shape, *shape):
        array = np.sqrt(np.diag(array))
    elif len(shape) > 1 and array.shape == shape:
        array = column_of(array, target)
    if array.shape not in ((), shape[:1]):
        raise ValueError(
            f"`sigma` must be a number, or have one value for each of the {shape[0]} points. "
            f"Got shape {array.shape}."
        )
    bad = np.flatnonzero(~((array > 0.0) & np.isfinite(array)))
    if bad.size:
        raise ValueError(
            f"`sigma` must be positive and finite. Got {array.flat[bad[0]]:g} in row {bad[0]}; "
            "leave the point out of the picture, or give it a standard deviation."
        )
    return np.broadcast_to(array, shape[:1])


def _feature_sigma(sigma_x: Any, shape: tuple[int, ...]) -> FloatArray:
    array: FloatArray = np.asarray(sigma_x, dtype=np.float64)
    columns = array[:, None] if array.ndim == 1 and shape[1] == 1 else array
    if columns.shape not in ((), (1, shape[1]), shape):
        raise ValueError(
            f"`sigma_x` must be a number, or have the shape of X, {shape}. Got {array.shape}."
        )
    if not (columns >= 0.0).all():
        raise ValueError("`sigma_x` must not be negative or NaN; zero means that x is exact.")
    return np.broadcast_to(columns, shape)


def curve_over(estimator: Any, X: Any, target: int) -> pd.DataFrame:
    """Return the curve over a single feature, on a grid that stays within its range."""
    x = np.asarray(X, dtype=np.float64)[:, 0]
    grid = np.linspace(x.min(), x.max(), _GRID)
    fitted, std = fitted_with_std(estimator, named_like(X, grid[:, None]), target)
    return pd.DataFrame({"x": grid, "fitted": fitted, "fitted_std": std})


def identity_line(points: pd.DataFrame) -> pd.DataFrame:
    """Return the line on which measured and fitted values are equal, as a curve without error."""
    values = points[["y", "fitted"]].to_numpy()
    ends = np.array([np.nanmin(values), np.nanmax(values)])
    return pd.DataFrame({"x": ends, "fitted": ends, "fitted_std": np.nan})


def name_of(data: Any, column: int, default: str) -> str:
    """Return the name of a column of pandas data."""
    if hasattr(data, "columns"):
        return str(data.columns[column])
    name = getattr(data, "name", None)
    return default if name is None else str(name)


def caption(summary: FitSummary | None, target: int) -> str:
    """Return parameters with errors, and χ² or the scatter, a line each, for a legend."""
    if summary is None:
        return ""
    lines = [f"{len(summary.names)} parameters"]
    if len(summary.names) <= _LISTED_PARAMETERS:
        rows = map(format_value, summary.params[target], summary.std[target])
        lines = [
            f"{name}: {value.replace('-', '−')} ± {error.replace('-', '−')}".replace("$", r"\$")
            for name, (value, error) in zip(summary.names, rows, strict=True)
        ]
    dof, chi2 = int(summary.dof[target]), float(summary.chi2[target])
    if summary.sigma_given:
        p = float(summary.p_value[target])
        chance = f", p = {p:.{2 if p < _SURE else 4}g}" if dof > 0 else ""
        lines.append(rf"$\chi^2$/dof = {chi2:.4g}/{dof}{chance}")
    elif dof > 0:
        lines.append(rf"scatter $s$ = {np.sqrt(chi2 / dof):.3g} ({dof} dof)")
    return "\n".join(lines)
