"""Section 3.2.4 and 3.2.5: lines through points that have errors in both coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sklsq._typing import FloatArray
from sklsq.datasets import Dataset, load_pearson_york
from sklsq.display import FitDisplay
from sklsq.estimators.orthogonal import OrthogonalRegression
from sklsq.estimators.weighted_linear import WeightedLinearFit
from sklsq.gallery.picture import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, Numbers

__all__ = ["draw_type_two", "draw_york", "lines_of"]

_LOOKS: dict[str, Any] = {
    "y on x": {"color": GREEN, "linestyle": (0, (5, 2))},
    "x on y": {"color": ORANGE, "linestyle": (0, (5, 2))},
    "reduced major axis": {"color": PURPLE, "linestyle": (0, (1, 1.2))},
    "major axis": {"color": GREY, "linestyle": (0, (4, 1.5, 1, 1.5))},
    "York": {"color": BLUE, "linestyle": "-"},
}


@dataclass(frozen=True)
class Line:
    """A straight line and the error of its slope.

    Parameters
    ----------
    intercept, slope, slope_std : float
        y = intercept + slope x, and the standard error of the slope.
    """

    intercept: float
    slope: float
    slope_std: float


def lines_of(data: Dataset) -> dict[str, Line]:
    """Return the lines that different definitions of "closest" draw through the same points."""
    X, y = data.X.to_numpy(), data.y_values.to_numpy()
    swapped = WeightedLinearFit().fit(y[:, None], X[:, 0])
    fits = {
        "y on x": WeightedLinearFit().fit(X, y),
        "reduced major axis": OrthogonalRegression("reduced_major_axis").fit(X, y),
        "major axis": OrthogonalRegression("major_axis").fit(X, y),
        "York": OrthogonalRegression("york").fit(X, y, **_errors(data)),
    }
    lines = {
        name: Line(float(fit.intercept_), float(fit.coef_[0]), float(fit.coef_std_[0]))
        for name, fit in fits.items()
    }
    b, b_std = float(swapped.coef_[0]), float(swapped.coef_std_[0])
    lines["x on y"] = Line(-float(swapped.intercept_) / b, 1.0 / b, b_std / b**2)
    return {name: lines[name] for name in _LOOKS}


def _errors(data: Dataset) -> dict[str, Any]:
    return {"sigma": np.asarray(data.sigma_values), "sigma_x": np.asarray(data.sigma_x_values)}


def draw_type_two(figure: Any) -> Numbers:
    """Draw five lines through Pearson's points, and their slopes with errors."""
    from matplotlib.ticker import MaxNLocator

    data = load_pearson_york()
    lines = lines_of(data)
    curves, slopes = figure.subplots(1, 2, width_ratios=(1.3, 1.0))
    _draw_points(curves, data)
    x = np.array([-0.5, 8.3])
    for k, (name, line) in enumerate(lines.items()):
        look = _LOOKS[name]
        curves.plot(x, line.intercept + line.slope * x, linewidth=1.6, label=name, **look)
        slopes.errorbar(
            line.slope, k, xerr=line.slope_std, fmt="o", color=look["color"], capsize=3.0
        )
    curves.set(xlabel="x", ylabel="y", title="Pearson's points with York's errors")
    curves.legend(frameon=False, fontsize="small", loc="lower left")
    slopes.set_yticks(range(len(lines)), list(lines))
    slopes.invert_yaxis()
    slopes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    slopes.set(xlabel="slope", title="slope and its standard error")
    b_yx, b_xy = lines["y on x"].slope, 1.0 / lines["x on y"].slope
    return {
        "y_on_x": b_yx,
        "x_on_y": 1.0 / b_xy,
        "geometric": -np.sqrt(b_yx / b_xy),
        "york": lines["York"].slope,
        "york_std": lines["York"].slope_std,
    }


def _draw_points(ax: Any, data: Dataset) -> None:
    ax.errorbar(
        data.X["x"],
        data.y_values,
        xerr=data.sigma_x_values,
        yerr=data.sigma_values,
        fmt="o",
        color=INK,
        markersize=4.0,
        elinewidth=1.0,
    )


def draw_york(figure: Any) -> Numbers:
    """Draw the least-squares cubic of York, and where it moves the points."""
    data = load_pearson_york()
    errors = _errors(data)
    line = OrthogonalRegression("york").fit(data.X, data.y_values, **errors)
    adjusted = line.adjusted_points(data.X, data.y_values, **errors)
    X, y = np.asarray(adjusted[0]), np.asarray(adjusted[1])
    ax = figure.subplots()
    ax.plot(*_moves(data, X[:, 0], y), color=ORANGE, linewidth=1.4, zorder=4)
    ends = np.array([0.0, X.max()])  # an adjusted point may lie beyond the measured ones
    ax.plot(ends, line.intercept_ + line.coef_[0] * ends, color=BLUE, linewidth=0.9)
    ax.plot(
        X[:, 0],
        y,
        "D",
        color=ORANGE,
        markersize=5.0,
        markerfacecolor="white",
        zorder=5,
        label="adjusted point",
    )
    FitDisplay.from_estimator(line, data.X, data.y_values, ax=ax, xlabel="x", ylabel="y", **errors)
    return {
        "slope": line.coef_[0],
        "slope_std": line.coef_std_[0],
        "intercept": line.intercept_,
        "intercept_std": line.intercept_std_,
        "chi2": line.chi2_,
        "dof": line.dof_,
    }


def _moves(data: Dataset, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return lines from each measured to each adjusted point, apart by NaN."""
    gap = np.full_like(x, np.nan)
    across = np.column_stack([data.X["x"], x, gap]).ravel()
    return across, np.column_stack([data.y_values, y, gap]).ravel()
