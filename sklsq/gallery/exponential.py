"""Section 3.3.5: an exponential by its logarithms, with the errors carried along and without."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklsq._typing import FloatArray
from sklsq.estimators.linearized import LinearizedRegressor
from sklsq.estimators.nonlinear import NonlinearLSQ
from sklsq.estimators.weighted_linear import WeightedLinearFit
from sklsq.gallery.picture import BLUE, GREY, INK, ORANGE, Numbers

__all__ = ["decay", "draw_exponential", "fits_of"]

_FACTOR, _RATE, _SIGMA = 10.0, 0.5, 0.12
_FORM = {"a": "exp(c0)", "b": "-c1"}  # of y = a exp(-b x), from log y = c0 + c1 x
_LOOKS: dict[str, Any] = {
    "curve itself": {"color": INK, "linestyle": "-"},
    "logarithms, errors carried": {"color": BLUE, "linestyle": (0, (5, 2))},
    "logarithms, all alike": {"color": ORANGE, "linestyle": (0, (1, 1.2))},
}


def decay() -> tuple[FloatArray, FloatArray, float]:
    """Return x (n, 1), y (n,) and σ of a decay with the same error in all points."""
    x = np.linspace(0.0, 7.0, 29)
    noise = np.random.default_rng(335).normal(scale=_SIGMA, size=x.size)
    return x[:, None], _FACTOR * np.exp(-_RATE * x) + noise, _SIGMA


def fits_of(X: FloatArray, y: FloatArray, sigma: float) -> dict[str, Any]:
    """Return three fits of the decay."""
    linearised = LinearizedRegressor(WeightedLinearFit(), back_transform=_FORM)
    return {
        "curve itself": NonlinearLSQ("a*exp(-b*x)").fit(X, y, sigma=sigma),
        "logarithms, errors carried": linearised.fit(X, y, sigma=sigma),
        "logarithms, all alike": LinearizedRegressor(WeightedLinearFit(), back_transform=_FORM).fit(
            X, y
        ),
    }


def draw_exponential(figure: Any) -> Numbers:
    """Draw the decay and its fits, on a linear and a logarithmic scale, and the rates found."""
    X, y, sigma = decay()
    fits = fits_of(X, y, sigma)
    linear, logarithmic, rates = figure.subplots(1, 3, width_ratios=(1.1, 1.1, 1.0))
    grid = np.linspace(0.0, X.max(), 201)
    numbers: dict[str, Any] = {"truth": _RATE, "sigma": sigma}
    for k, ((name, fit), key) in enumerate(
        zip(fits.items(), ("direct", "carried", "alike"), strict=True)
    ):
        for ax in (linear, logarithmic):
            ax.plot(grid, fit.predict(grid[:, None]), linewidth=1.7, label=name, **_LOOKS[name])
        rate, std = fit.params_[1], fit.params_std_[1]
        rates.errorbar(rate, k, xerr=std, fmt="o", color=_LOOKS[name]["color"], capsize=3.0)
        numbers |= {key: rate, f"{key}_std": std}
    for ax in (linear, logarithmic):
        ax.errorbar(
            X[:, 0], y, yerr=sigma, fmt="o", color=GREY, markersize=3.0, zorder=1, label="measured"
        )
        ax.set(xlabel="x", ylabel="y")
    logarithmic.set_yscale("log")
    linear.legend(frameon=False, fontsize="small", loc="upper right")
    rates.axvline(_RATE, color=GREY, linewidth=1.0, linestyle=":")
    rates.set_yticks(range(len(fits)), [name.replace(", ", ",\n") for name in fits])
    rates.set_ylim(len(fits) - 0.5, -0.5)
    rates.set(xlabel="rate b, and its standard error", title="dotted: true rate")
    numbers["ratio"] = numbers["alike_std"] / numbers["direct_std"]
    return numbers
