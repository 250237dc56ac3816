"""The points and the curve of a picture, as frames.

Bars are the errors of y and x by themselves; a pull is a residual over the standard deviation of y
less the curve, which errors of x enter by the slope (`sklsq.inference.row_errors`): for a straight
line the sum of their squares is the χ² of York et al., Am. J. Phys. 72, 367 (2004).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sklsq._typing import FloatArray
from sklsq.inference.fitted_values import (
    column_of,
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
    "dof_of_bands",
    "fitted_points",
    "identity_line",
    "name_of",
    "points_of",
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
    check_index("sigma_x", errors.sigma_x, X, y)
    if not np.isfinite(column_of(y, target)).any():
        raise ValueError("`y` must have finite values to be drawn. Got none.")
    fitted, fitted_std = fitted_with_std(estimator, X, target)
    of_rows = errors_of_rows(
        estimator,
        X,
        y,
        sigma=errors.sigma,
        sigma_x=errors.sigma_x,
        corr_xy=errors.corr_xy,
        target=target,
        as_fitted=False,
    )
    # Without sigma the scatter of a regressor of another library does not tell that of y.
    unknown = errors.sigma is None and summary_of(estimator) is None
    sigma = np.full_like(fitted, np.nan) if unknown else of_rows.sigma
    bar = sigma if of_rows.of_x is None and errors.sigma is None else of_rows.of_y
    x = features[:, 0] if single else fitted
    frame = points_of(x, column_of(y, target), fitted, fitted_std, sigma).assign(sigma=bar)
    mask = getattr(last_step(estimator), "inlier_mask_", None)
    if mask is not None and np.shape(mask) == fitted.shape:
        frame["rejected"] = ~used_rows(estimator, len(fitted))
    if single and of_rows.of_x is not None:
        frame.insert(3, "sigma_x", of_rows.of_x[:, 0])
    return frame


def points_of(
    x: FloatArray, y: FloatArray, fitted: FloatArray, fitted_std: FloatArray, sigma: FloatArray
) -> pd.DataFrame:
    """Return the frame of points whose x is exact."""
    columns = {"x": x, "y": y, "sigma": sigma, "fitted": fitted, "fitted_std": fitted_std}
    residual = y - fitted
    return pd.DataFrame({**columns, "residual": residual, "pull": residual / sigma})


def dof_of_bands(summary: FitSummary | None, target: int) -> float:
    """Return the degrees of freedom behind the errors of the curve; infinite if absolute."""
    if summary is None or summary.absolute_sigma:
        return np.inf
    return max(float(summary.dof[target]), 1.0)


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
