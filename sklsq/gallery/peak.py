r"""Section 3.4: a Gaussian peak on a constant, :math:`p_1 + p_2 e^{-((x - p_3)/p_4)^2}`.

For given centre and width the other two parameters are those of a straight line in the Gaussian, so
that :math:`\chi^2` can be drawn over the plane of centre and width, minimised over the others.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklsq._typing import FloatArray
from sklsq.datasets import load_gaussian_peak
from sklsq.diagnostics import residual_diagnostics
from sklsq.display import ContourDisplay, CorrelationDisplay, FitDisplay
from sklsq.estimators.nonlinear import NonlinearLSQ
from sklsq.gallery.picture import BLUE, GREEN, ORANGE, PURPLE, Numbers

__all__ = ["chi2_of", "descent", "draw_contours", "draw_correlations", "draw_fit", "draw_search"]

_MODEL = "p1 + p2*exp(-((x - p3)/p4)**2)"
_TRUTH = {"p1": 0.5, "p2": 10.0, "p3": 4.5, "p4": 1.0}
_STARTS: dict[str, tuple[list[float], str, str]] = {
    "start of the lecture": ([1.0, 8.0, 5.0, 2.0], BLUE, "o"),
    "start at the right": ([1.0, 8.0, 9.0, 0.5], ORANGE, "s"),
    "start at the left": ([1.0, 8.0, 1.0, 1.0], PURPLE, "^"),
}
_VALLEY = 0.3  # share of the picture


def chi2_of(centre: FloatArray, width: FloatArray) -> FloatArray:
    """Return the sum of squares over centres and widths, least in constant and height."""
    data = load_gaussian_peak()
    x, y = data.X["x"].to_numpy(), data.y_values.to_numpy()
    peak = np.exp(-(((x - centre[..., None]) / width[..., None]) ** 2))
    peak -= peak.mean(axis=-1, keepdims=True)
    about = y - y.mean()
    height = peak @ about / np.maximum(np.square(peak).sum(axis=-1), np.finfo(float).tiny)
    rest: FloatArray = np.square(about - height[..., None] * peak).sum(axis=-1)
    return rest


def descent(start: list[float]) -> FloatArray:
    """Return the parameters (k, 4) after each step of a fit from a given start."""
    data = load_gaussian_peak()
    n_steps = NonlinearLSQ(_MODEL, start, start="p0").fit(data.X, data.y_values).n_iter_
    path = [np.array(start)]
    for steps in range(1, n_steps + 1):
        fit = NonlinearLSQ(_MODEL, start, start="p0", max_iter=steps)
        with warnings.catch_warnings():
            # It is stopped before its end on purpose, to see where it is.
            warnings.simplefilter("ignore", ConvergenceWarning)
            path.append(fit.fit(data.X, data.y_values).params_)
    return np.array(path)


def _levels(scaled: FloatArray) -> FloatArray:
    """Return levels that show the deep valley, and shallow ones on the plateau around it."""
    plateau = float(np.quantile(scaled, _VALLEY))
    deep = np.geomspace(scaled.min(), plateau, 9)
    return np.append(deep, np.quantile(scaled, np.linspace(_VALLEY, 1.0, 12)[1:]))


def draw_search(figure: Any) -> Numbers:
    """Draw the sum of squares over centre and width, and where three starts lead."""
    from matplotlib.colors import BoundaryNorm

    data = load_gaussian_peak()
    found = NonlinearLSQ(_MODEL).fit(data.X, data.y_values)
    ax = figure.subplots()
    centre, width = np.meshgrid(np.linspace(-0.5, 10.5, 221), np.linspace(0.15, 4.0, 155))
    scaled = chi2_of(centre, width) / found.reduced_chi2_
    levels = _levels(scaled)
    norm = BoundaryNorm(levels, 256)
    shown = ax.contourf(centre, width, scaled, levels=levels, norm=norm, cmap="cividis")
    ax.contour(centre, width, scaled, levels=levels, colors="white", linewidths=0.4)
    figure.colorbar(shown, ax=ax, label=r"$\chi^2 / s^2$", format="%.0f", ticks=levels[::2])
    numbers: dict[str, Any] = {"best": found.chi2_ / found.reduced_chi2_}
    for (name, (start, color, mark)), key in zip(
        _STARTS.items(), ("good", "right", "left"), strict=True
    ):
        path = descent(start)
        look = {"color": color, "marker": mark, "markersize": 4.5, "markeredgecolor": "white"}
        ax.plot(path[:, 2], np.abs(path[:, 3]), linewidth=1.6, label=name, **look)
        numbers |= {f"{key}_steps": len(path) - 1, f"{key}_centre": path[-1, 2]}
        end = chi2_of(path[-1:, 2], path[-1:, 3])[0]
        numbers[key] = end / found.reduced_chi2_
        numbers[f"{key}_height"] = path[-1, 1]
    ax.plot(
        found.params_[2],
        found.params_[3],
        "*",
        color=GREEN,
        markersize=15.0,
        markeredgecolor="white",
        linestyle="none",
        label="fit without a start",
    )
    ax.set(xlabel="centre p3", ylabel="width p4", xlim=(-0.5, 10.5), ylim=(0.15, 4.0))
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize="small")
    return numbers


def draw_contours(figure: Any) -> Numbers:
    """Draw contours of all pairs of parameters, and the profiles."""
    data = load_gaussian_peak()
    shown = ContourDisplay.from_estimator(NonlinearLSQ(_MODEL), data.X, data.y_values, fig=figure)
    away = 0.0
    for _, line in shown.frame().groupby(["x_name", "y_name", "level"]):
        contour, ellipse = line[["x", "y"]], line[["x_ellipse", "y_ellipse"]].to_numpy()
        apart = (contour.to_numpy() - ellipse) / np.ptp(ellipse, axis=0)
        away = max(away, float(np.hypot(*apart.T).max()))
    levels = [100.0 * level for level in shown.level_rises]
    return {"first": levels[0], "second": levels[1], "away": 100.0 * away}


def draw_correlations(figure: Any) -> Numbers:
    """Draw the correlations of the parameters."""
    data = load_gaussian_peak()
    fit = NonlinearLSQ(_MODEL).fit(data.X, data.y_values)
    shown = CorrelationDisplay.from_estimator(fit, ax=figure.subplots())
    frame = shown.frame()
    return {"width_constant": frame.loc["p4", "p1"], "width_height": frame.loc["p4", "p2"]}


def draw_fit(figure: Any) -> Numbers:
    """Draw the fit of the peak, its band and its residuals."""
    data = load_gaussian_peak()
    fit = NonlinearLSQ(_MODEL, _STARTS["start of the lecture"][0]).fit(data.X, data.y_values)
    FitDisplay.from_estimator(
        fit, data.X, data.y_values, ax=figure.subplots(), xlabel="x", ylabel="y"
    )
    report = residual_diagnostics(fit, data.X, data.y_values)
    pulls = (fit.params_ - np.array(list(_TRUTH.values()))) / fit.params_std_
    return {
        "truth": ", ".join(f"{value:g}" for value in _TRUTH.values()),
        "pull": np.abs(pulls).max(),
        "scatter": np.sqrt(fit.reduced_chi2_),
        "steps": fit.n_iter_,
        "suspects": ", ".join(report.suspects) or "nothing",
    }
