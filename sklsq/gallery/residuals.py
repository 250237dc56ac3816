"""Section 3.1.1: look at the residuals, and leave out what is too far off."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklsq._typing import FloatArray
from sklsq.diagnostics import residual_diagnostics
from sklsq.display import FitDisplay, ResidualsDisplay
from sklsq.estimators.sigma_clipped import SigmaClippedRegressor
from sklsq.estimators.weighted_linear import WeightedLinearFit
from sklsq.gallery.picture import GREY, Numbers

__all__ = ["draw_outliers", "draw_wave", "line_with_blunders", "line_with_wave"]

_SIGMA = 0.2
_AMPLITUDE = 0.14
_PERIOD = 7.0


def line_with_wave() -> tuple[FloatArray, FloatArray]:
    """Return x (n, 1) and y (n,) of a line with a small sine on it."""
    x = np.linspace(0.0, 20.0, 80)
    noise = np.random.default_rng(31).normal(scale=_SIGMA, size=x.size)
    return x[:, None], 1.0 + 0.5 * x + _AMPLITUDE * np.sin(2.0 * np.pi * x / _PERIOD) + noise


def draw_wave(figure: Any) -> Numbers:
    """Draw a line that looks right, its residuals over x, and their histogram."""
    X, y = line_with_wave()
    line = WeightedLinearFit().fit(X, y, sigma=_SIGMA)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.25, 1.0, 1.0))
    FitDisplay.from_estimator(line, X, y, sigma=_SIGMA, ax=left, residuals=False)
    ResidualsDisplay.from_estimator(
        line, X, y, sigma=_SIGMA, ax=(middle, right), panels=("x", "histogram")
    )
    report = residual_diagnostics(line, X, y, sigma=_SIGMA)
    return {
        "size": _AMPLITUDE / _SIGMA,
        "p_chi2": line.p_value_,
        "p_normal": report.normality.p_value,
        "p_runs": report.runs.p_value,
        "p_serial": report.autocorrelation.p_value,
    }


def line_with_blunders() -> tuple[FloatArray, FloatArray]:
    """Return x (n, 1) and y (n,) of a line, three points of which are plainly wrong."""
    rng = np.random.default_rng(311)
    x = np.linspace(0.0, 10.0, 40)
    y = 2.0 + 0.8 * x + rng.normal(scale=0.4, size=x.size)
    y[[31, 35, 38]] += [-4.5, -6.0, -3.5]
    return x[:, None], y


def draw_outliers(figure: Any) -> Numbers:
    """Draw a clipped fit with the rejected points hollow, and the fit to all points."""
    (X, y), sigma = line_with_blunders(), 0.4
    clipped = SigmaClippedRegressor(WeightedLinearFit()).fit(X, y, sigma=sigma)
    plain = WeightedLinearFit().fit(X, y, sigma=sigma)
    ax = figure.subplots()
    ax.plot(X[:, 0], plain.predict(X), "--", color=GREY, linewidth=1.6, label="fit to all points")
    FitDisplay.from_estimator(clipped, X, y, sigma=sigma, ax=ax, xlabel="x", ylabel="y")
    return {
        "n_sigma": clipped.n_sigma,
        "rejected": clipped.n_rejected_,
        "n": y.size,
        "slope": clipped.coef_[0],
        "slope_std": clipped.coef_std_[0],
        "plain": plain.coef_[0],
        "reduced": clipped.reduced_chi2_,
        "plain_reduced": plain.reduced_chi2_,
        "factor": clipped.error_factor_,
    }
