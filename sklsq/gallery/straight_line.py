r"""Section 3.2.1 to 3.2.3: a straight line, where its errors come from, and the error it predicts.

With :math:`\sigma_a^2, \sigma_b^2` the variances of intercept and slope,
:math:`\sigma_y^2(x) = \sigma_a^2 + x^2\sigma_b^2 + 2x\,\mathrm{cov}(a, b)`, a hyperbola about the
mean of x; without the last term it is wrong nearly everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sklsq._typing import FloatArray
from sklsq.datasets import load_pion_minus
from sklsq.display import FitDisplay
from sklsq.estimators.weighted_linear import WeightedLinearFit
from sklsq.gallery.picture import BLUE, GREY, INK, ORANGE, Numbers
from sklsq.inference.design import expected_covariance

__all__ = ["draw_band", "draw_designs", "draw_line", "ellipse"]

_XLABEL, _YLABEL = "inverse energy (1/GeV)", "cross section (as tabulated)"
_SIGMA = 0.5
_TRUTH = np.array([2.0, 0.6])
_DESIGNS = {"narrow": np.linspace(6.0, 9.0, 10), "wide": np.linspace(0.5, 9.5, 10)}
_LOOKS: dict[str, Any] = {
    "narrow": {"color": ORANGE, "linestyle": (0, (5, 2))},
    "wide": {"color": BLUE, "linestyle": "-"},
}
_MARKS = {"narrow": "s", "wide": "o"}
_JOINT = 0.6827  # probability that an ellipse holds both parameters


def ellipse(
    centre: FloatArray, covariance: FloatArray, probability: float = _JOINT
) -> tuple[FloatArray, FloatArray]:
    """Return the outline of the region that holds both of two parameters with a probability."""
    angle = np.linspace(0.0, 2.0 * np.pi, 181)
    radius = np.sqrt(-2.0 * np.log1p(-probability))
    circle = radius * np.vstack([np.cos(angle), np.sin(angle)])
    x, y = centre[:, None] + np.linalg.cholesky(covariance) @ circle
    return x, y


def draw_line(figure: Any) -> Numbers:
    """Draw a straight line through measurements with error bars."""
    data = load_pion_minus()
    line = WeightedLinearFit().fit(data.X, data.y_values, sigma=data.sigma_values)
    FitDisplay.from_estimator(
        line,
        data.X,
        data.y_values,
        sigma=data.sigma_values,
        ax=figure.subplots(),
        xlabel=_XLABEL,
        ylabel=_YLABEL,
    )
    return {"chi2": line.chi2_, "dof": line.dof_, "p": line.p_value_, "r": line.r_}


def draw_designs(figure: Any) -> Numbers:
    """Draw ten points close together and ten far apart, and what each tells of a line."""
    measured, raw, centred = figure.subplots(1, 3, width_ratios=(1.2, 1.0, 1.0))
    numbers: dict[str, Any] = {"sigma": _SIGMA, "level": 100.0 * _JOINT}
    for k, (name, x) in enumerate(_DESIGNS.items()):
        X, look = x[:, None], _LOOKS[name]
        y = np.random.default_rng(322 + k).normal(_TRUTH[0] + _TRUTH[1] * x, _SIGMA)
        line = WeightedLinearFit().fit(X, y, sigma=_SIGMA)
        measured.errorbar(
            x, y, yerr=_SIGMA, fmt=_MARKS[name], color=look["color"], markersize=4.0, elinewidth=1.0
        )
        grid = np.linspace(0.0, 10.0, 101)
        mean, error = line.predict(grid[:, None], return_std=True)
        measured.plot(grid, mean, linewidth=1.4, label=name, **look)
        measured.fill_between(
            grid, mean - error, mean + error, color=look["color"], alpha=0.2, linewidth=0.0
        )
        covariance = expected_covariance(WeightedLinearFit(), X, _SIGMA)
        raw.plot(*ellipse(_TRUTH, covariance), **look)
        about = line.params_at()  # the mean of x
        level = np.array([_TRUTH[0] + _TRUTH[1] * about.x0[0], _TRUTH[1]])
        centred.plot(*ellipse(level, about.params_cov), **look)
        std = np.sqrt(np.diag(covariance))
        numbers |= {f"{name}_a": std[0], f"{name}_b": std[1]}
        numbers[f"{name}_r"] = covariance[0, 1] / std.prod()
        numbers[f"{name}_r_centred"] = abs(about.params_cov[0, 1] / about.params_std.prod())
    measured.set(xlabel="x", ylabel="y", title="measured: lines and their errors")
    measured.legend(frameon=False, loc="upper left")
    raw.set(xlabel="intercept", ylabel="slope", title="line by its intercept")
    centred.set(xlabel="level at the mean of x", ylabel="slope", title="line by its level")
    centred.sharey(raw)
    return numbers


def draw_band(figure: Any) -> Numbers:
    """Draw the band of a line as it is, and as it would be without the covariance term."""
    data = load_pion_minus()
    line = WeightedLinearFit().fit(data.X, data.y_values, sigma=data.sigma_values)
    x = np.linspace(0.0, 0.6, 241)
    mean, std = line.predict(pd.DataFrame({data.x[0]: x}), return_std=True)
    variance = np.diag(line.params_cov_)
    without = np.sqrt(variance[0] + x**2 * variance[1])
    curve, errors = figure.subplots(1, 2)
    curve.errorbar(
        data.X[data.x[0]], data.y_values, yerr=data.sigma_values, fmt="o", color=INK, markersize=4.0
    )
    curve.plot(x, mean, color=BLUE, linewidth=1.4)
    curve.fill_between(x, mean - std, mean + std, color=BLUE, alpha=0.3, linewidth=0.0)
    for side in (-without, without):
        curve.plot(x, mean + side, "--", color=ORANGE, linewidth=1.4)
    curve.set(xlabel=_XLABEL, ylabel=_YLABEL, title="the line and its error")
    errors.plot(x, std, color=BLUE, linewidth=1.6, label="with the covariance")
    errors.plot(x, without, "--", color=ORANGE, linewidth=1.6, label="without")
    centre = float(line.params_at().x0[0])
    errors.axvline(centre, color=GREY, linewidth=0.9, linestyle=":", label="weighted mean of x")
    errors.set(xlabel=_XLABEL, ylabel="standard error of the line", title="its error alone")
    errors.set_ylim(0.0, None)
    errors.legend(frameon=False, loc="lower right")
    least = float(line.predict(pd.DataFrame({data.x[0]: [centre]}), return_std=True)[1][0])
    stated = np.sqrt(variance[0] + centre**2 * variance[1])
    return {
        "x": centre,
        "std": least,
        "without": stated,
        "ratio": stated / least,
        "r": line.params_cov_[0, 1] / np.sqrt(variance.prod()),
    }
