"""Section 3.3.1 to 3.3.4: fits that are linear in their coefficients, whatever the functions."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from sklsq._typing import FloatArray
from sklsq.basis import Polynomial
from sklsq.display import FitDisplay
from sklsq.estimators.design_matrix import DesignMatrixRegressor
from sklsq.exceptions import ExtrapolationWarning
from sklsq.gallery.picture import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, Numbers

__all__ = ["draw_polynomials", "draw_surface", "draw_terms", "step", "surface", "wavy"]

_DEGREES = (3, 9, 15)
_BEYOND = 0.1  # of the range, to either side
_TERMS = ["1", "x", "log(x)", "sin(x)"]
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (4, 1.5, 1, 1.5)))


def step() -> tuple[FloatArray, FloatArray, float]:
    """Return x (n, 1), y (n,) and σ of measurements of a step."""
    x, sigma = np.linspace(-1.0, 1.0, 31), 0.08
    noise = np.random.default_rng(331).normal(scale=sigma, size=x.size)
    return x[:, None], np.where(x > 0.0, 1.0, 0.0) + noise, sigma


def draw_polynomials(figure: Any) -> Numbers:
    """Draw polynomials of rising degree through a step, inside and outside the data."""
    X, y, sigma = step()
    reach = 1.0 + 2.0 * _BEYOND
    grid = np.linspace(-reach, reach, 961)
    numbers: dict[str, Any] = {"beyond": 100.0 * _BEYOND}
    for ax, degree in zip(figure.subplots(1, len(_DEGREES), sharey=True), _DEGREES, strict=True):
        fit = DesignMatrixRegressor(Polynomial(degree)).fit(X, y, sigma=sigma)
        with warnings.catch_warnings():
            # What the warning is about is what the picture shows.
            warnings.simplefilter("ignore", ExtrapolationWarning)
            curve = fit.predict(grid[:, None])
        for edge in (-1.0, 1.0):
            ax.axvspan(edge, edge * reach, color="0.9", linewidth=0.0)
        ax.plot(grid, curve, color=BLUE, linewidth=1.6, label="polynomial")
        ax.errorbar(
            X[:, 0],
            y,
            yerr=sigma,
            fmt="o",
            color=INK,
            markersize=3.0,
            label=r"measured $\pm\sigma$",
        )
        ax.set(xlabel="x", title=f"degree {degree}", xlim=(-reach, reach), ylim=(-1.9, 2.9))
        inside = np.abs(grid) < 1.0
        numbers[f"over_{degree}"] = curve[inside].max() - 1.0
        numbers[f"end_{degree}"] = curve[-1]
        numbers[f"reduced_{degree}"] = fit.reduced_chi2_
        numbers["last"] = degree
    figure.axes[0].set_ylabel("y")
    figure.axes[0].legend(frameon=False, fontsize="small", loc="upper left")
    return numbers


def wavy() -> tuple[FloatArray, FloatArray, float]:
    """Return x (n, 1), y (n,) and σ of a sum of all terms of the design matrix."""
    x, sigma = np.linspace(0.5, 15.0, 50), 0.25
    noise = np.random.default_rng(332).normal(scale=sigma, size=x.size)
    return x[:, None], 2.0 - 0.3 * x + 2.5 * np.log(x) + 0.8 * np.sin(x) + noise, sigma


def draw_terms(figure: Any) -> Numbers:
    """Draw a fit of four functions, and what each of them contributes."""
    X, y, sigma = wavy()
    fit = DesignMatrixRegressor(_TERMS).fit(X, y, sigma=sigma)
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1.0))
    FitDisplay.from_estimator(fit, X, y, sigma=sigma, ax=left, xlabel="x", ylabel="y")
    x = np.linspace(X.min(), X.max(), 301)
    columns = [np.ones_like(x), x, np.log(x), np.sin(x)]
    for name, a, column, color, dash in zip(
        _TERMS, fit.coef_, columns, (GREY, GREEN, ORANGE, PURPLE), _DASHES, strict=True
    ):
        right.plot(x, a * column, color=color, linestyle=dash, linewidth=1.7, label=name)
    right.set(xlabel="x", ylabel="coefficient times function", title="what each term contributes")
    right.legend(frameon=False, fontsize="small", loc="upper left", ncols=2)
    right.margins(y=0.2)
    return {
        "n_terms": fit.coef_.size,
        "chi2": fit.chi2_,
        "dof": fit.dof_,
        "sine": fit.coef_[-1],
        "sine_std": fit.coef_std_[-1],
    }


def surface() -> tuple[pd.DataFrame, FloatArray, FloatArray]:
    """Return stations x, y (n, 2), z (n,) and σ (n,) of a dome measured here and there."""
    rng = np.random.default_rng(334)
    x, y = rng.uniform(0.0, 10.0, 60), rng.uniform(0.0, 6.0, 60)
    sigma = rng.uniform(0.2, 0.6, 60)
    z = 4.0 + 1.1 * x + 0.9 * y - 0.12 * x**2 + 0.1 * x * y - 0.25 * y**2
    return pd.DataFrame({"x": x, "y": y}), rng.normal(z, sigma), sigma


def draw_surface(figure: Any) -> Numbers:
    """Draw a biquadratic surface with its error, and measured over fitted values."""
    X, z, sigma = surface()
    fit = DesignMatrixRegressor(Polynomial(2)).fit(X, z, sigma=sigma)
    across, up = np.meshgrid(np.linspace(0.0, 10.0, 81), np.linspace(0.0, 6.0, 61))
    grid = pd.DataFrame({"x": across.ravel(), "y": up.ravel()})
    height, std = (a.reshape(across.shape) for a in fit.predict(grid, return_std=True))
    maps, right = figure.subplots(1, 2, width_ratios=(1.35, 1.0))
    low, high = float(height.min()), float(1.2 * height.max())  # the palest shades hide white lines
    shown = maps.contourf(across, up, height, levels=14, cmap="cividis", vmin=low, vmax=high)
    maps.scatter(
        X["x"], X["y"], c=z, cmap="cividis", vmin=low, vmax=high, edgecolor="white", s=34.0
    )
    lines = maps.contour(
        across, up, std, levels=[0.1, 0.15, 0.2, 0.3], colors="white", linewidths=0.9
    )
    maps.clabel(lines, fontsize="small")
    maps.set(xlabel="x", ylabel="y", title="fitted z; white: its standard error; dots: measured z")
    figure.colorbar(shown, ax=maps, label="z")
    FitDisplay.from_estimator(
        fit, X, z, sigma=sigma, ax=right, xlabel="fitted z", ylabel="measured z"
    )
    return {
        "n": z.size,
        "terms": ", ".join(fit.param_names_),
        "chi2": fit.chi2_,
        "dof": fit.dof_,
        "least": std.min(),
        "most": std.max(),
    }
