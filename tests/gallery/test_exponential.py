"""The three fits of the decay, against other programs."""

import numpy as np
import pytest
from scipy.optimize import curve_fit

from sklsq.gallery.exponential import decay, draw_exponential, fits_of

Figure = pytest.importorskip("matplotlib.figure").Figure


def test_fits_are_those_of_scipy_and_numpy():
    X, y, sigma = decay()
    x, fits = X[:, 0], fits_of(X, y, sigma)
    p, cov = curve_fit(
        lambda x, a, b: a * np.exp(-b * x),
        x,
        y,
        p0=(10.0, 0.5),
        sigma=np.full_like(y, sigma),
        absolute_sigma=True,
        xtol=1e-14,
    )
    # curve_fit stops where its differences of 1e-8 end.
    np.testing.assert_allclose(fits["curve itself"].params_, p, rtol=1e-6)
    np.testing.assert_allclose(fits["curve itself"].params_std_, np.sqrt(np.diag(cov)), rtol=1e-5)
    for name, weights in (("errors carried", y / sigma), ("all alike", np.ones_like(y))):
        slope, intercept = np.polyfit(x, np.log(y), 1, w=weights)
        fit = fits[f"logarithms, {name}"]
        np.testing.assert_allclose(fit.params_, [np.exp(intercept), -slope])


def test_carrying_the_errors_is_what_makes_the_difference():
    numbers = draw_exponential(Figure())
    carried = abs(numbers["carried"] - numbers["direct"])
    alike = abs(numbers["alike"] - numbers["direct"])
    assert carried < numbers["direct_std"]
    assert alike > 3.0 * numbers["direct_std"]
    assert numbers["ratio"] > 2.0
